// vega-interpreter imports three names of vega-util, which vega.min.js contains.
export const { ascending, isString, DisallowedObjectProperties } = window.vega;
