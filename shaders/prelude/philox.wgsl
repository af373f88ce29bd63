// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11): four random words for a counter
// and a key. Counters name what is drawn (element, stream, step), so results depend on neither device nor workgroup size.

// High word of a 32 x 32 -> 64 bit product, which WGSL lacks: schoolbook on 16-bit halves.
fn mul_hi(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let mid = ah * bl + ((al * bl) >> 16u);
  let low = al * bh + (mid & 0xffffu);
  return ah * bh + (mid >> 16u) + (low >> 16u);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0; round < 10; round++) {
    let hi = vec2u(mul_hi(0xD2511F53u, c.x), mul_hi(0xCD9E8D57u, c.z));
    let lo = vec2u(0xD2511F53u * c.x, 0xCD9E8D57u * c.z);
    c = vec4u(hi.y ^ c.y ^ k.x, lo.y, hi.x ^ c.w ^ k.y, lo.x);
    k += vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

// Uniform in (0, 1): the middle of one of 2^23 equal intervals, so that neither end is ever met.
fn unit(word: u32) -> f32 { return (f32(word >> 9u) + 0.5) * 0x1p-23; }
