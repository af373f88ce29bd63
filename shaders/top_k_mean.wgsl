// top_k_mean: the mean of the k largest elements of each row, without sorting.
//
//   input        [M, N]  elem
//   output       [M]     elem
//   selection    [M, 2]  u32    key of the k-th largest element, and bits of the share of k that each of its equals takes
//   grad_output  [M]     elem
//   grad_input   [M, N]  elem
//
//   output[m] = (sum of the k largest of input[m, :]) / k
//   grad_input[m,n] = grad_output[m] / k * (1 above the k-th largest, the same share for each of its equals, 0 below)
//
// Radix selection: an element's key is its bits, turned so that keys order as numbers do. Four passes count, digit by
// digit from the highest, how many keys agree so far, and step down to the digit that holds the k-th largest. Counts
// are integers, so the order of atomics does not matter; the sum is taken in a fixed order. NaN counts as larger
// than every number, with a negative sign as smaller.
// Cost: reads each row five times and writes one element; 8 operations an element.

struct Params {
  rows: u32,     // M
  columns: u32,  // N
  k: u32,        // 1 to N
}

@group(0) @binding(0) var<storage, read> input: array<elem>;
@group(0) @binding(1) var<storage, read> grad_output: array<elem>;
@group(0) @binding(2) var<storage, read> selected: array<vec2u>;         // selection
@group(0) @binding(3) var<storage, read_write> output: array<elem>;
@group(0) @binding(4) var<storage, read_write> selection: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> grad_input: array<elem>;
@group(1) @binding(0) var<uniform> params: Params;

const DIGITS = 256u;

var<workgroup> counts: array<atomic<u32>, DIGITS>;
var<workgroup> lane_sums: array<f32, WORKGROUP_SIZE>;
// State of the search for the k-th largest: its key's digits so far, how many keys with these digits belong to the k, how many there are.
var<workgroup> found: array<u32, 3>;

fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn value_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u)); }

// One workgroup per row; lanes stride over it.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  let in_range = row < params.rows;
  let first = row * params.columns;
  let end = select(first, first + params.columns, in_range);
  if (lane == 0u) {
    found[0] = 0u;
    found[1] = params.k;
  }
  for (var place = 0u; place < 4u; place++) {
    let shift = 24u - 8u * place;
    for (var digit = lane; digit < DIGITS; digit += WORKGROUP_SIZE) { atomicStore(&counts[digit], 0u); }
    workgroupBarrier();
    let agreed = ~((0x100u << shift) - 1u);  // at the first place: nothing
    for (var i = first + lane; i < end; i += WORKGROUP_SIZE) {
      let key = key_of(f32(input[i]));
      if ((key & agreed) == found[0]) { atomicAdd(&counts[(key >> shift) & 255u], 1u); }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var wanted = found[1];
      var digit = DIGITS - 1u;
      var count = atomicLoad(&counts[digit]);
      while (digit > 0u && count < wanted) {
        wanted -= count;
        digit -= 1u;
        count = atomicLoad(&counts[digit]);
      }
      found[0] |= digit << shift;
      found[1] = wanted;
      found[2] = count;
    }
    workgroupBarrier();
  }
  var sum = 0.0;
  for (var i = first + lane; i < end; i += WORKGROUP_SIZE) {
    let value = f32(input[i]);
    if (key_of(value) > found[0]) { sum += value; }
  }
  lane_sums[lane] = sum;
  workgroupBarrier();
  for (var width = WORKGROUP_SIZE / 2u; width > 0u; width /= 2u) {
    if (lane < width) { lane_sums[lane] += lane_sums[lane + width]; }
    workgroupBarrier();
  }
  if (lane == 0u && in_range) {
    output[row] = elem((lane_sums[0] + f32(found[1]) * value_of(found[0])) / f32(params.k));
    selection[row] = vec2u(found[0], bitcast<u32>(f32(found[1]) / f32(found[2])));
  }
}

// One invocation per element.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.rows * params.columns) { return; }
  let row = i / params.columns;
  let key = key_of(f32(input[i]));
  let chosen = selected[row];
  let share = select(select(0.0, bitcast<f32>(chosen.y), key == chosen.x), 1.0, key > chosen.x);
  grad_input[i] = elem(f32(grad_output[row]) * share / f32(params.k));
}
