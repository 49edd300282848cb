"""Whether texts can be read: contrast ratios as WCAG defines them, of two colours and of every text on a page."""


def luminance(colour):
    """Of #rrggbb or of three numbers up to 255."""
    if isinstance(colour, str):
        colour = bytes.fromhex(colour[1:])
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (each / 255 for each in colour)]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """From 1 to 21; 4.5 is enough for texts."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


# The least contrast of all texts that a page shows, and the text: an element's colour over whatever lies below it, also
# over every colour of a gradient.
LEAST_ON_PAGE = """(() => {
  const numbers = colour => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = colour => {
    const [r, g, b] = colour.map(each => each / 255)
      .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = (top, below) => {
    const share = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map(place => top[place] * share + below[place] * (1 - share));
  };
  const grounds = element => {
    if (!element) return [[255, 255, 255]];
    const style = getComputedStyle(element);
    let below = grounds(element.parentElement).map(each => over(numbers(style.backgroundColor), each));
    for (const colour of style.backgroundImage.match(/rgba?\\([^)]*\\)/g) || [])
      below = [...below, ...below.map(each => over(numbers(colour), each))];
    return below;
  };
  let least = [99, ""];
  for (const element of document.body.querySelectorAll("*")) {
    const said = [...element.childNodes].filter(each => each.nodeType === 3 && each.data.trim());
    const box = element.getBoundingClientRect();
    if (!said.length || !box.width || element.closest("script, style, option, .unseen, title")) continue;
    const style = getComputedStyle(element);
    const drawn = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    for (const ground of grounds(element)) {
      const [a, b] = [light(over(numbers(drawn), ground)), light(ground)].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < least[0]) least = [ratio, said[0].data.trim()];
    }
  }
  return least;
})()"""
