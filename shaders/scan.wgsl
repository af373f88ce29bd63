// scan: exclusive prefix sums of u32.
//
//   input    [count]       u32
//   offsets  [blocks + 1]  u32   exclusive prefix sums of the blocks' totals
//   totals   [blocks]      u32   of each block of WORKGROUP_SIZE * STRETCH elements
//   output   [count + 1]   u32   output[i] = input[0] + ... + input[i - 1]; the last is the total
//
// The launcher scans the blocks' totals by the same kernels, so any count takes a logarithmic number of dispatches.
// Integer sums are exact (modulo 2^32), so the order does not matter.
// Cost: reads each element twice and writes it once; 2 operations an element.

// True if there are several blocks. With one, offsets is bound but never read.
override OFFSETS: bool = false;

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read_write> totals: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

const STRETCH = 32u; // elements of a lane

var<workgroup> sums: array<u32, WORKGROUP_SIZE>;

// First element of a lane's stretch and its end.
fn stretch_of(block_index: u32, lane: u32) -> vec2u {
  let first = (block_index * WORKGROUP_SIZE + lane) * STRETCH;
  return min(vec2u(first, first + STRETCH), vec2u(params.count));
}

fn sum_of(stretch: vec2u) -> u32 {
  var sum = 0u;
  for (var i = stretch.x; i < stretch.y; i++) { sum += input[i]; }
  return sum;
}

// One workgroup per block. A tree adds the lanes.
@compute @workgroup_size(WORKGROUP_SIZE)
fn block_totals(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block_index = group.y * groups.x + group.x;
  sums[lane] = sum_of(stretch_of(block_index, lane));
  workgroupBarrier();
  for (var width = WORKGROUP_SIZE / 2u; width > 0u; width /= 2u) {
    if (lane < width) { sums[lane] += sums[lane + width]; }
    workgroupBarrier();
  }
  if (lane == 0u && block_index * WORKGROUP_SIZE * STRETCH < params.count) { totals[block_index] = sums[0]; }
}

// One workgroup per block: each lane sums its stretch, the lanes' sums are scanned, each lane walks its stretch again.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block_index = group.y * groups.x + group.x;
  let stretch = stretch_of(block_index, lane);
  let sum = sum_of(stretch);
  sums[lane] = sum;
  workgroupBarrier();
  for (var reach = 1u; reach < WORKGROUP_SIZE; reach *= 2u) {
    var left = 0u;
    if (lane >= reach) { left = sums[lane - reach]; }
    workgroupBarrier();
    sums[lane] += left;
    workgroupBarrier();
  }
  var total = sums[lane] - sum;
  if (OFFSETS) { if (stretch.x < stretch.y) { total += offsets[block_index]; } }
  for (var i = stretch.x; i < stretch.y; i++) {
    output[i] = total;
    total += input[i];
  }
  // The lane that walks the last element knows the total; where there is none, the first lane does.
  if ((stretch.x < stretch.y && stretch.y == params.count) || (params.count == 0u && block_index + lane == 0u)) { output[params.count] = total; }
}
