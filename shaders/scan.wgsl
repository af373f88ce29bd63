// scan: exclusive prefix sums of whole numbers.
//
//   input    [count]      u32
//   output   [count + 1]  u32   output[i] = input[0] + ... + input[i - 1]; the last is the total
//
// One workgroup: each lane sums a stretch, the lanes' sums are scanned, each lane walks its stretch again.
// Integer sums are exact, so the order does not matter.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> sums: array<u32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(local_invocation_index) lane: u32) {
  let stretch = (params.count + WORKGROUP_SIZE - 1) / WORKGROUP_SIZE;
  let first = min(lane * stretch, params.count);
  let end = min(first + stretch, params.count);
  var sum = 0u;
  for (var i = first; i < end; i++) { sum += input[i]; }
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
  for (var i = first; i < end; i++) {
    output[i] = total;
    total += input[i];
  }
  if (lane == WORKGROUP_SIZE - 1) { output[params.count] = total; }
}
