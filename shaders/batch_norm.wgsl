// batch_norm: subtracts the mean and divides by the standard deviation, over the rows of each group.
//
//   input         [G, M, C]     pack   batch norm: G = 1, M = N*H*W; per sample (instance): G = N, M = H*W
//   moments       [G, S, 2, C]  f32    mean and M2 = sum of squared deviations, of S slices of the rows
//   statistics    [G, 2, C]     f32    mean and variance (M2 / (M - correction))
//   affine        [2, C]        f32    weight and bias
//   running       [2, C]        f32    running mean and variance, updated in place
//   sums          [G, S, 2, C]  f32    of grad_output * normalised input and of grad_output: the gradients of weight and bias
//   output, grad_input  [G, M, C]  pack
//
//   r = 1 / sqrt(variance + eps),  h = (input - mean) * r,  output = weight * h + bias
//   grad_input = weight * r * (grad_output - sum(grad_output) / M - h * sum(grad_output * h) / (M - correction))
//   grad_input = weight * r * grad_output   if the statistics are constants
//   With an activation f the output is f of that, and grad_output times f's slope there takes the place of grad_output.
//
// Slices depend on the shape alone and are merged in order, so equal inputs give equal bits.
// Welford's update within a slice and Chan's between slices: stable even if the mean is far larger than the deviation,
// and the data is read once. Definition: torch.nn.functional.batch_norm.
// Cost: the statistics read the input once, forward reads and writes it once, for 10 operations an element; the gradients read
// input and grad_output twice and write once, for 12.

// True if weight and bias apply. Otherwise affine is bound but never read.
override AFFINE: bool = true;
// True if mean and variance are given, not the input's own. Then sums is bound but never read in backward_input.
override CONSTANT: bool = false;

struct Params {
  groups: u32,        // G
  extent: u32,        // M
  packs: u32,         // C / PACK
  rows: u32,          // of a slice
  slices: u32,        // S
  correction: f32,    // 0: the variance divides by M; 1: by M - 1
  eps: f32,
  momentum: f32,      // weight of the new statistics in the running ones
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> moments: array<accum>;
@group(0) @binding(2) var<storage, read> statistics: array<accum>;
@group(0) @binding(3) var<storage, read> affine: array<accum>;
@group(0) @binding(4) var<storage, read> grad_output: array<pack>;
@group(0) @binding(5) var<storage, read> sums: array<accum>;
@group(0) @binding(6) var<storage, read_write> output: array<pack>;
@group(0) @binding(7) var<storage, read_write> running: array<accum>;
@group(0) @binding(8) var<storage, read_write> workspace: array<accum>;  // moments, statistics or sums
@group(1) @binding(0) var<uniform> params: Params;

// The rows of a slice: index of the first and number.
fn slice_rows(slice: u32) -> vec2u {
  let first = slice * params.rows;
  return vec2u(first, min(params.rows, params.extent - first));
}

// Mean and M2 of one slice. One invocation per (group, slice, pack).
@compute @workgroup_size(WORKGROUP_SIZE)
fn slice_moments(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.slices * params.packs) { return; }
  let c = i % params.packs;
  let slice = (i / params.packs) % params.slices;
  let g = i / params.packs / params.slices;
  let rows = slice_rows(slice);
  var at = (g * params.extent + rows.x) * params.packs + c;
  var mean = accum();
  var m2 = accum();
  for (var n = 1u; n <= rows.y; n++) {
    let x = accum(input[at]);
    let deviation = x - mean;
    mean += deviation / f32(n);
    m2 += deviation * (x - mean);
    at += params.packs;
  }
  let to = (g * params.slices + slice) * 2u * params.packs + c;
  workspace[to] = mean;
  workspace[to + params.packs] = m2;
}

// Merges the slices of a group in order. One invocation per (group, pack).
@compute @workgroup_size(WORKGROUP_SIZE)
fn merge_moments(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.packs) { return; }
  let c = i % params.packs;
  let g = i / params.packs;
  var mean = accum();
  var m2 = accum();
  var count = 0.0;
  for (var slice = 0u; slice < params.slices; slice++) {
    let at = (g * params.slices + slice) * 2u * params.packs + c;
    let n = f32(slice_rows(slice).y);
    let total = count + n;
    let difference = moments[at] - mean;
    mean += difference * (n / total);
    m2 += moments[at + params.packs] + difference * difference * (count * n / total);
    count = total;
  }
  workspace[g * 2u * params.packs + c] = mean;
  workspace[(g * 2u + 1u) * params.packs + c] = m2 / (count - params.correction);
}

// running = (1 - momentum) * running + momentum * (mean, unbiased variance). One invocation per pack of C.
@compute @workgroup_size(WORKGROUP_SIZE)
fn update_running(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = flat_index(id, groups);
  if (c >= params.packs) { return; }
  let v = params.packs + c;
  let count = f32(params.extent);
  let unbiased = statistics[v] * ((count - params.correction) / max(count - 1.0, 1.0));
  running[c] = mix(running[c], statistics[c], params.momentum);
  running[v] = mix(running[v], unbiased, params.momentum);
}

fn scaled(h: accum, c: u32) -> accum {
  if (AFFINE) { return affine[c] * h + affine[params.packs + c]; }
  return h;
}

// d loss / d the activation's input, given d loss / d its output: ACTIVATION of prelude/activation.wgsl.
fn gradient_at(i: u32, h: accum, c: u32) -> accum {
  let gradient = accum(grad_output[i]);
  if (ACTIVATION == 0u) { return gradient; }
  return gradient * activation_slope(scaled(h, c));
}

fn reciprocal_std(g: u32, c: u32) -> accum {
  return 1.0 / sqrt(statistics[(g * 2u + 1u) * params.packs + c] + params.eps);
}

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.extent * params.packs) { return; }
  let c = i % params.packs;
  let g = i / params.packs / params.extent;
  let mean = statistics[g * 2u * params.packs + c];
  output[i] = pack(activate(scaled((accum(input[i]) - mean) * reciprocal_std(g, c), c)));
}

// Sums of one slice over grad_output * h and grad_output. One invocation per (group, slice, pack).
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_sums(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.slices * params.packs) { return; }
  let c = i % params.packs;
  let slice = (i / params.packs) % params.slices;
  let g = i / params.packs / params.slices;
  let rows = slice_rows(slice);
  let mean = statistics[g * 2u * params.packs + c];
  let r = reciprocal_std(g, c);
  var at = (g * params.extent + rows.x) * params.packs + c;
  var total = accum();
  var total_h = accum();
  for (var n = 0u; n < rows.y; n++) {
    let h = (accum(input[at]) - mean) * r;
    let gradient = gradient_at(at, h, c);
    total += gradient;
    total_h += gradient * h;
    at += params.packs;
  }
  let to = (g * params.slices + slice) * 2u * params.packs + c;
  workspace[to] = total_h;
  workspace[to + params.packs] = total;
}

// sums: those of whole groups, S = 1. One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.extent * params.packs) { return; }
  let c = i % params.packs;
  let g = i / params.packs / params.extent;
  let at = g * 2u * params.packs + c;
  let r = reciprocal_std(g, c);
  let h = (accum(input[i]) - statistics[at]) * r;
  let count = f32(params.extent);
  var scale = r;
  if (AFFINE) { scale *= affine[c]; }
  var gradient = gradient_at(i, h, c);
  if (!CONSTANT) { gradient -= sums[at + params.packs] / count + h * sums[at] / (count - params.correction); }
  output[i] = pack(scale * gradient);
}
