// What the room of kernels knows: the words that are set, the picture, the result, and one pixel's numbers.

export const state = { words: { kernel: "sharpen" }, picture: null, result: null, explained: null, histogram: null, place: null, channel: 0, slider: 50 };
