// pairs: draws pairs of positions, half of them of the same kind by a mask, half of different kinds.
//
//   list           [M]           u32   positions: the unmarked ones in order, then the marked ones (bucket.wgsl)
//   starts         [2 BLOCKS+1]  u32   of the list: unmarked ones from starts[0], marked ones from starts[BLOCKS] to starts[2 BLOCKS]
//   training_step  [1]           u32   step: in a tensor, so that each run of a captured draw can have another
//   pairs          [2 K, 2]      u32   K pairs of the same kind, then K of different kinds; M instead of a position if there is none of its kind
//   similar        [2 K]         f32   1 for the first K, 0 for the others
//
//   same kind:  marked or unmarked at random, or the other kind if that has fewer than two positions; two different positions of it
//   different:  one of the marked, one of the others
//   Each is drawn evenly, by philox(counter (pair, stream, step, 0), key (seed, 0)).
//
// Definition: GRAD eq. 4, read literally.
// Cost: 30 operations and two reads a pair.

struct Params {
  count: u32,       // K
  blocks: u32,      // BLOCKS
  seed: u32,
  stream: u32,
}

@group(0) @binding(0) var<storage, read> list: array<u32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> training_step: array<u32>;
@group(0) @binding(3) var<storage, read_write> pairs: array<u32>;
@group(0) @binding(4) var<storage, read_write> similar: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// One of `count` integers from 0, each as likely up to 2^-23.
fn whole(word: u32, count: u32) -> u32 { return min(u32(unit(word) * f32(count)), count - 1u); }

// The position at `index` of the list from `start`, of `count` there.
fn position(start: u32, count: u32, index: u32, none: u32) -> u32 {
  if (count == 0u) { return none; }
  return list[start + min(index, count - 1u)];
}

// One invocation per pair.
@compute @workgroup_size(WORKGROUP_SIZE)
fn draw_pairs(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= 2u * params.count) { return; }
  let words = philox(vec4u(i, params.stream, training_step[0], 0u), vec2u(params.seed, 0u));
  let total = starts[2u * params.blocks];
  let unmarked = starts[params.blocks];
  let marked = total - unmarked;
  let one_kind = i < params.count;
  similar[i] = select(0.0, 1.0, one_kind);
  if (!one_kind) {
    pairs[2u * i] = position(unmarked, marked, whole(words.y, max(marked, 1u)), total);
    pairs[2u * i + 1u] = position(0u, unmarked, whole(words.z, max(unmarked, 1u)), total);
    return;
  }
  let take_marked = marked > 1u && ((words.x & 1u) == 1u || unmarked < 2u);
  let start = select(0u, unmarked, take_marked);
  let count = select(unmarked, marked, take_marked);
  let first = whole(words.y, max(count, 1u));
  let second = whole(words.z, max(count, 2u) - 1u);
  pairs[2u * i] = position(start, count, first, total);
  pairs[2u * i + 1u] = position(start, count, second + select(0u, 1u, second >= first), total);
}
