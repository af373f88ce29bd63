// pool: mean or maximum over a sliding window, NHWC, and their gradients.
//
//   input        [N, H, W, C]  pack
//   output       [N, P, Q, C]  pack
//   grad_output  [N, P, Q, C]  pack
//   grad_input   [N, H, W, C]  pack
//   winners      [N, P, Q, C]  u32   h * W + w of the pixel that a maximum came from
//
//   average  output[n,p,q,c] = sum over r < R, s < S of input[n, p*stride_h - pad_h + r, q*stride_w - pad_w + s, c] / divisor
//   maximum  output[n,p,q,c] = max of the same elements; among equals the first, by rows
//
// Outside the image an average reads zero and a maximum nothing (-infinity). A padding is at most half the window, so every
// window holds a pixel. The maximum of a window with a NaN is NaN.
// Definitions: torch.nn.functional.avg_pool2d and max_pool2d.
//
// Cost: each image read once and written once if windows do not overlap; R * S additions or comparisons for each output
// element, as many additions for its gradient.

// Divisor of an average. true: R * S. false: the number of window elements inside the image.
override COUNT_INCLUDE_PAD: bool = true;

struct Params {
  batch: u32,       // N
  height: u32,      // H
  width: u32,       // W
  packs: u32,       // C / PACK
  out_height: u32,  // P
  out_width: u32,   // Q
  window_h: u32,    // R
  window_w: u32,    // S
  stride_h: u32,
  stride_w: u32,
  pad_h: u32,       // at most R / 2
  pad_w: u32,
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> grad_output: array<pack>;
@group(0) @binding(2) var<storage, read> winners: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<pack>;
@group(0) @binding(4) var<storage, read_write> grad_input: array<pack>;
@group(0) @binding(5) var<storage, read_write> winners_output: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// A place in an image or an output: pack c of row y, column x.
struct Place { n: u32, y: u32, x: u32, c: u32 }

fn place_of(i: u32, rows: u32, columns: u32) -> Place {
  let pixel = i / params.packs;
  return Place(pixel / columns / rows, pixel / columns % rows, pixel % columns, i % params.packs);
}

fn input_index(n: u32, h: u32, w: u32, c: u32) -> u32 { return ((n * params.height + h) * params.width + w) * params.packs + c; }

fn output_index(n: u32, p: u32, q: u32, c: u32) -> u32 { return ((n * params.out_height + p) * params.out_width + q) * params.packs + c; }

// First and end of the input positions, along one axis, in the window of output position `at`, clipped to the image.
fn covered(at: u32, stride: u32, pad: u32, window: u32, extent: u32) -> vec2u {
  let start = at * stride;
  return vec2u(max(start, pad) - pad, min(start + window - pad, extent));
}

fn rows_of(p: u32) -> vec2u { return covered(p, params.stride_h, params.pad_h, params.window_h, params.height); }

fn columns_of(q: u32) -> vec2u { return covered(q, params.stride_w, params.pad_w, params.window_w, params.width); }

// First and end of the output positions, along one axis, whose window covers input position `at`.
fn covering(at: u32, stride: u32, pad: u32, window: u32, out_extent: u32) -> vec2u {
  let padded = at + pad;
  let first = select((padded - window) / stride + 1u, 0u, padded < window);
  return vec2u(first, min(padded / stride + 1u, out_extent));
}

fn windows_over_row(h: u32) -> vec2u { return covering(h, params.stride_h, params.pad_h, params.window_h, params.out_height); }

fn windows_over_column(w: u32) -> vec2u { return covering(w, params.stride_w, params.pad_w, params.window_w, params.out_width); }

fn divisor_of(rows: vec2u, columns: vec2u) -> f32 {
  let inside = f32(rows.y - rows.x) * f32(columns.y - columns.x);
  return select(inside, f32(params.window_h) * f32(params.window_w), COUNT_INCLUDE_PAD);
}

// One invocation per output pack; it adds the window's elements in row order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn average_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.out_height * params.out_width * params.packs) { return; }
  let at = place_of(i, params.out_height, params.out_width);
  let rows = rows_of(at.y);
  let columns = columns_of(at.x);
  var sum = accum();
  for (var h = rows.x; h < rows.y; h++) {
    for (var w = columns.x; w < columns.y; w++) { sum += accum(input[input_index(at.n, h, w, at.c)]); }
  }
  output[i] = pack(sum / divisor_of(rows, columns));
}

// The same with unit stride along W. One invocation per pack of four outputs in a row, whose windows share all but three of their
// columns: S + 3 loads a row of the window for four outputs. Pixels outside count as zero, so that the order is that of average_forward.
@compute @workgroup_size(WORKGROUP_SIZE)
fn average_forward_four(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let fours = (params.out_width + 3u) / 4u;
  if (i >= params.batch * params.out_height * fours * params.packs) { return; }
  let at = place_of(i, params.out_height, fours);
  let q = at.x * 4u;
  let rows = rows_of(at.y);
  let first = q - params.pad_w; // wraps below zero, and is then outside
  var sums: array<accum, 4>;
  for (var h = rows.x; h < rows.y; h++) {
    var v0 = pixel(at.n, h, first, at.c);
    var v1 = pixel(at.n, h, first + 1u, at.c);
    var v2 = pixel(at.n, h, first + 2u, at.c);
    for (var s = 0u; s < params.window_w; s++) {
      let v3 = pixel(at.n, h, first + s + 3u, at.c);
      sums[0] += v0;
      sums[1] += v1;
      sums[2] += v2;
      sums[3] += v3;
      v0 = v1;
      v1 = v2;
      v2 = v3;
    }
  }
  for (var k = 0u; k < min(4u, params.out_width - q); k++) {
    output[output_index(at.n, at.y, q + k, at.c)] = pack(sums[k] / divisor_of(rows, columns_of(q + k)));
  }
}

// input[n, h, w, c], or zero outside the image. Without a branch, which would take drivers long to compile.
fn pixel(n: u32, h: u32, w: u32, c: u32) -> accum {
  let inside = w < params.width;
  return select(accum(), accum(input[input_index(n, h, select(0u, w, inside), c)]), inside);
}

// d loss / d input of an average. One invocation per input pack: a gather over the windows that cover it, in row order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn average_backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.height * params.width * params.packs) { return; }
  let at = place_of(i, params.height, params.width);
  let above = windows_over_row(at.y);
  let beside = windows_over_column(at.x);
  var sum = accum();
  for (var p = above.x; p < above.y; p++) {
    for (var q = beside.x; q < beside.y; q++) {
      sum += accum(grad_output[output_index(at.n, p, q, at.c)]) / divisor_of(rows_of(p), columns_of(q));
    }
  }
  grad_input[i] = pack(sum);
}

// NaN if either is.
fn larger(a: accum, b: accum) -> accum { return select(select(max(a, b), b, is_nan(b)), a, is_nan(a)); }

// One invocation per output pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn max_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.out_height * params.out_width * params.packs) { return; }
  let at = place_of(i, params.out_height, params.out_width);
  let rows = rows_of(at.y);
  let columns = columns_of(at.x);
  var best = accum(input[input_index(at.n, rows.x, columns.x, at.c)]);
  for (var h = rows.x; h < rows.y; h++) {
    for (var w = columns.x; w < columns.y; w++) { best = larger(best, accum(input[input_index(at.n, h, w, at.c)])); }
  }
  output[i] = pack(best);
}

// Where each maximum comes from. One invocation per output pack: a later pixel wins only if it is larger, so the order of the
// walk, by rows, decides among equals.
@compute @workgroup_size(WORKGROUP_SIZE)
fn argmax(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.out_height * params.out_width * params.packs) { return; }
  let at = place_of(i, params.out_height, params.out_width);
  let rows = rows_of(at.y);
  let columns = columns_of(at.x);
  var best = accum(input[input_index(at.n, rows.x, columns.x, at.c)]);
  var winner = vec4u(rows.x * params.width + columns.x); // lanes beyond PACK are not used
  for (var h = rows.x; h < rows.y; h++) {
    for (var w = columns.x; w < columns.y; w++) {
      let value = accum(input[input_index(at.n, h, w, at.c)]);
      for (var lane = 0u; lane < PACK; lane++) {
        if (pack_lane(value, lane) > pack_lane(best, lane)) { winner[lane] = h * params.width + w; }
      }
      best = larger(best, value);
    }
  }
  for (var lane = 0u; lane < PACK; lane++) { winners_output[i * PACK + lane] = winner[lane]; }
}

// d loss / d input of a maximum. One invocation per input pack: a gather, in row order, over the windows that cover it,
// of the gradients of those that it won.
@compute @workgroup_size(WORKGROUP_SIZE)
fn max_backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.height * params.width * params.packs) { return; }
  let at = place_of(i, params.height, params.width);
  let here = at.y * params.width + at.x;
  let above = windows_over_row(at.y);
  let beside = windows_over_column(at.x);
  var sum = vec4f(); // lanes beyond PACK are not used
  for (var p = above.x; p < above.y; p++) {
    for (var q = beside.x; q < beside.y; q++) {
      let j = output_index(at.n, p, q, at.c);
      let gradient = accum(grad_output[j]);
      for (var lane = 0u; lane < PACK; lane++) {
        if (winners[j * PACK + lane] == here) { sum[lane] += pack_lane(gradient, lane); }
      }
    }
  }
  grad_input[i] = pack(accum_from(sum));
}
