// image: resizes a photograph with antialiasing, bit for bit like Pillow's BILINEAR, and normalises its colours.
//
//   pixels   [H, W]         u32  8-bit R, G, B, A from the lowest byte; A is ignored
//   filters  [E, taps + 2]  u32  of each output column (or row): first input, number of inputs, their weights of sum 2^22
//   columns  [H, C]         u32  after the horizontal pass, bytes R, G, B
//   output   [P, Q, 3]      f32  (value / 255 - mean) / std; a picture of R x C pixels in it, the rest as it was
//
// Two passes, horizontal then vertical, each a triangle filter as wide as the larger of one input and one output pixel, in
// whole numbers: (sum of weight * byte + 2^21) / 2^22. Definition: Pillow, Resample.c.
//
// Cost: reads each pixel once for each output column that it reaches, 6 operations each time; the second pass likewise for rows.

struct Params {
  rows: u32,          // of this dispatch: H, or a band of it in the horizontal pass; R in the vertical
  extent: u32,        // W
  taps: u32,          // most inputs of an output
  columns: u32,       // C
  out_width: u32,     // Q
  out_left: u32,      // where the picture begins in output's rows
  out_row: u32,       // row of output, or of columns, where this dispatch begins
  mean_r: f32, mean_g: f32, mean_b: f32,
  std_r: f32, std_g: f32, std_b: f32,
}

@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var<storage, read> filters: array<u32>;
@group(0) @binding(2) var<storage, read> columns: array<u32>;
@group(0) @binding(3) var<storage, read_write> columns_output: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

const HALF = 1u << 21u;

fn bytes_of(pixel: u32) -> vec3u { return vec3u(pixel, pixel >> 8u, pixel >> 16u) & vec3u(0xffu); }

// One invocation per (row, output column).
@compute @workgroup_size(WORKGROUP_SIZE)
fn horizontal(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.rows * params.columns) { return; }
  let row = i / params.columns;
  let window = i % params.columns * (params.taps + 2u);
  let first = row * params.extent + filters[window];
  var sum = vec3u(HALF);
  for (var tap = 0u; tap < filters[window + 1u]; tap++) { sum += filters[window + 2u + tap] * bytes_of(pixels[first + tap]); }
  let value = sum >> vec3u(22u);
  columns_output[params.out_row * params.columns + i] = value.x | (value.y << 8u) | (value.z << 16u);
}

// One invocation per output pixel.
@compute @workgroup_size(WORKGROUP_SIZE)
fn vertical(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.rows * params.columns) { return; }
  let row = i / params.columns;
  let column = i % params.columns;
  let window = row * (params.taps + 2u);
  let first = filters[window];
  var sum = vec3u(HALF);
  for (var tap = 0u; tap < filters[window + 1u]; tap++) {
    sum += filters[window + 2u + tap] * bytes_of(columns[(first + tap) * params.columns + column]);
  }
  let mean = vec3f(params.mean_r, params.mean_g, params.mean_b);
  let std_rgb = vec3f(params.std_r, params.std_g, params.std_b);
  let value = (vec3f(sum >> vec3u(22u)) / 255.0 - mean) / std_rgb;
  let to = 3u * ((params.out_row + row) * params.out_width + params.out_left + column);
  output[to] = value.r;
  output[to + 1u] = value.g;
  output[to + 2u] = value.b;
}
