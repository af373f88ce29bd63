// image: resizes a photograph with antialiasing and normalises its colours.
//
//   pixels   [H, W]     u32  8-bit R, G, B, A from the lowest byte; A is ignored
//   columns  [H, Q, 3]  f32  after the horizontal pass, in [0, 1]
//   output   [P, Q, 3]  f32  (value - mean) / deviation
//
// Two passes, horizontal then vertical, each a normalised triangle filter as wide as the larger of one input and one
// output pixel: what PIL's resize with BILINEAR does (Pillow, Resample.c), without its rounding to 8 bits in between.
//
// Cost: reads each pixel once for each output column that it reaches, 7 operations each time; the second pass likewise for rows.

struct Params {
  rows: u32,          // of this dispatch: H, or a band of it in the horizontal pass; P in the vertical
  extent: u32,        // along the filtered axis: W, or H
  out_extent: u32,    // along the filtered axis: Q, or P
  out_width: u32,     // Q
  out_offset: u32,    // row of output or columns where this dispatch begins
  mean_r: f32, mean_g: f32, mean_b: f32,
  deviation_r: f32, deviation_g: f32, deviation_b: f32,
}

@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Where an output pixel looks: centre and half width, in input pixels, and the pixels within.
struct Window { centre: f32, reach: f32, first: u32, end: u32 }

fn window_of(at: u32) -> Window {
  let scale = f32(params.extent) / f32(params.out_extent);
  let reach = max(scale, 1.0);
  let centre = (f32(at) + 0.5) * scale;
  let first = u32(max(floor(centre - reach + 0.5), 0.0));
  let end = min(u32(floor(centre + reach + 0.5)), params.extent);
  return Window(centre, reach, first, end);
}

fn weight_of(window: Window, at: u32) -> f32 {
  return max(0.0, 1.0 - abs(f32(at) + 0.5 - window.centre) / window.reach);
}

// One invocation per (row, output column).
@compute @workgroup_size(WORKGROUP_SIZE)
fn horizontal(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.rows * params.out_extent) { return; }
  let row = i / params.out_extent;
  let window = window_of(i % params.out_extent);
  var sum = vec3f();
  var weights = 0.0;
  for (var at = window.first; at < window.end; at++) {
    let weight = weight_of(window, at);
    sum += weight * unpack4x8unorm(pixels[row * params.extent + at]).rgb;
    weights += weight;
  }
  let to = 3u * (params.out_offset * params.out_extent + i);
  let value = sum / weights;
  output[to] = value.r;
  output[to + 1u] = value.g;
  output[to + 2u] = value.b;
}

// One invocation per output pixel.
@compute @workgroup_size(WORKGROUP_SIZE)
fn vertical(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.rows * params.out_width) { return; }
  let window = window_of(i / params.out_width);
  let column = i % params.out_width;
  var sum = vec3f();
  var weights = 0.0;
  for (var at = window.first; at < window.end; at++) {
    let weight = weight_of(window, at);
    let origin = 3u * (at * params.out_width + column);
    sum += weight * vec3f(columns[origin], columns[origin + 1u], columns[origin + 2u]);
    weights += weight;
  }
  let mean = vec3f(params.mean_r, params.mean_g, params.mean_b);
  let deviation = vec3f(params.deviation_r, params.deviation_g, params.deviation_b);
  let value = (sum / weights - mean) / deviation;
  let to = 3u * (params.out_offset * params.out_width + i);
  output[to] = value.r;
  output[to + 1u] = value.g;
  output[to + 2u] = value.b;
}
