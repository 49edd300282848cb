// What the room of digits knows: the drawing, what was found in it, and the number that is taken apart.

export const state = { strokes: [], pen: null, isDown: false, found: null, picked: null, unit: null, earlier: [], blob: null, opened: null, showsAll: false, focus: 0 };

export const percent = (share) => (share >= 0.9995 && share < 1 ? ">99.9%" : share > 0 && share < 0.0005 ? "<0.1%" : `${(share * 100).toFixed(1)}%`);

// What is pointed out, on any ground.
export function frame(context, left, top, wide, high) {
  context.lineWidth = 4;
  context.strokeStyle = "#17191c";
  context.strokeRect(left, top, wide, high);
  context.lineWidth = 2;
  context.strokeStyle = "#ffd400";
  context.strokeRect(left, top, wide, high);
}
