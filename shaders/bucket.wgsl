// bucket: groups integers by value, stably, which turns a scatter into a gather.
//
//   keys     [N]              u32   NO_BUCKET, or any other key out of range, is in no list
//   ranks    [N]              u32   place of a key among its equals in its block
//   counts   [K, blocks]      u32   keys of each value in each block of BLOCK; zero before
//   starts   [K * blocks + 1] u32   exclusive prefix sums of counts, by `scan`
//   list     [N]              u32   indices of keys, by value, then by index
//
// Values in order, blocks in order, keys in order: the lists of value k are list[starts[k * blocks] .. starts[(k + 1) * blocks]].
// No atomics: sums along a list are always in the same order.
// Cost: reads the keys twice and writes ranks and list, K * blocks counts, BLOCK comparisons a key.

struct Params {
  count: u32,    // N
  buckets: u32,  // K
}

@group(0) @binding(0) var<storage, read> keys: array<u32>;
@group(0) @binding(1) var<storage, read_write> ranks: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read> ranks_read: array<u32>;
@group(0) @binding(5) var<storage, read_write> list: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

const BLOCK = 64u;
const NO_BUCKET = 0xffffffffu;

fn block_count() -> u32 { return (params.count + BLOCK - 1u) / BLOCK; }

var<workgroup> block_keys: array<u32, BLOCK>;

// One workgroup per block of keys. A value that is met in this block has one lane to write its count, that of its last key.
@compute @workgroup_size(BLOCK)
fn rank(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let nth = group.y * groups.x + group.x;
  let i = nth * BLOCK + lane;
  var key = NO_BUCKET;
  if (i < params.count) { key = keys[i]; }
  block_keys[lane] = key;
  workgroupBarrier();
  if (key >= params.buckets) { return; }
  var before = 0u;
  var after = 0u;
  for (var other = 0u; other < BLOCK; other++) {
    let same = u32(block_keys[other] == key);
    before += select(0u, same, other < lane);
    after += select(0u, same, other > lane);
  }
  ranks[i] = before;
  if (after == 0u) { counts[key * block_count() + nth] = before + 1u; }
}

// One invocation per key.
@compute @workgroup_size(WORKGROUP_SIZE)
fn place(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.count) { return; }
  let key = keys[i];
  if (key >= params.buckets) { return; }
  list[starts[key * block_count() + i / BLOCK] + ranks_read[i]] = i;
}
