// softmax: exponentials of a row in proportion to their sum, along C.
//
//   input                    [M, C]  pack
//   output                   [M, C]  pack   exp(input - max) / sum of exp(input - max)
//   grad_output, grad_input  [M, C]  pack   grad_input = output * (grad_output - sum over c of grad_output * output)
//
// The row's maximum is taken off first, so no exponential overflows. The gradient needs the output alone.
// Cost: forward reads the row three times and writes it once, 2 exponentials an element; backward reads twice two tensors.
// Definition: torch.nn.functional.softmax.

struct Params {
  rows: u32,   // M
  packs: u32,  // C / PACK
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> result: array<pack>;
@group(0) @binding(2) var<storage, read> grad_output: array<pack>;
@group(0) @binding(3) var<storage, read_write> output: array<pack>;
@group(0) @binding(4) var<storage, read_write> grad_input: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// The lowest f32: rows of it alone, as a mask may leave them, have shares too.
const LEAST = -3.4028234e38;

// LANES invocations per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let at = row_lane(group, groups, index);
  let in_range = at.row < params.rows;
  let first = at.row * params.packs + at.lane;
  let end = select(0u, (at.row + 1u) * params.packs, in_range);
  var largest = LEAST;
  for (var i = first; i < end; i += LANES) { largest = max(largest, pack_max(accum(input[i]))); }
  largest = row_max(largest, index);
  var sum = 0.0;
  for (var i = first; i < end; i += LANES) { sum += pack_sum(exp(accum(input[i]) - largest)); }
  sum = row_sum(sum, index);
  for (var i = first; i < end; i += LANES) { output[i] = pack(exp(accum(input[i]) - largest) / sum); }
}

// LANES invocations per row. result: the output.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let at = row_lane(group, groups, index);
  let first = at.row * params.packs + at.lane;
  let end = select(0u, (at.row + 1u) * params.packs, at.row < params.rows);
  var along = 0.0;
  for (var i = first; i < end; i += LANES) { along += pack_sum(accum(grad_output[i]) * accum(result[i])); }
  along = row_sum(along, index);
  for (var i = first; i < end; i += LANES) { grad_input[i] = pack(accum(result[i]) * (accum(grad_output[i]) - along)); }
}
