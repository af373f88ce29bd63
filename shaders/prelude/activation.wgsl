// Activation functions and their derivatives, for the kernel that applies one and for those that end in one.
// At a kink the derivative is the one PyTorch takes: that of the flat side.

// 0 identity  1 relu  2 relu6  3 leaky relu  4 hsigmoid  5 hswish  6 sigmoid  7 silu  8 tanh  9 gelu
// 10 sqrt  11 exp  12 log  13 abs  14 square
override ACTIVATION: u32 = 0;
// Slope of leaky relu below zero.
override LEAK: f32 = 0.01;

fn sigmoid(x: accum) -> accum { return 1.0 / (1.0 + exp(-x)); }

// tanh itself overflows in its exponentials for large arguments on some drivers.
fn tanh_of(x: accum) -> accum { return tanh(clamp(x, accum(-10.0), accum(10.0))); }

// 1 - erf(z) to a relative 1e-7 for z >= 0: t exp(-z^2 + p(t)) with t = 1 / (1 + z / 2), p fitted to log(erfc(z) / t) + z^2.
fn erfc_positive(z: accum) -> accum {
  let t = 1.0 / (1.0 + 0.5 * z);
  var p = accum(0.175417113);
  p = p * t - 0.843875884;
  p = p * t + 1.53230591;
  p = p * t - 1.18357688;
  p = p * t + 0.310719245;
  p = p * t - 0.199021953;
  p = p * t + 0.0997972686;
  p = p * t + 0.373700468;
  p = p * t + 1.00004748;
  p = p * t - 1.26551268;
  return t * exp(p - z * z);
}

// The normal distribution function.
fn normal_cdf(x: accum) -> accum {
  let tail = 0.5 * erfc_positive(abs(x) * 0.7071067811865476);
  return select(tail, 1.0 - tail, x > accum(0.0));
}

// The function of that number; `leak` is leaky relu's slope below zero. NaN stays NaN, whatever the device's max, clamp
// or exp make of it.
fn activated(activation: u32, leak: f32, x: accum) -> accum { return select(function_of(activation, leak, x), x, is_nan(x)); }

fn function_of(activation: u32, leak: f32, x: accum) -> accum {
  switch (activation) {
    case 0u: { return x; }
    case 1u: { return max(x, accum(0.0)); }
    case 2u: { return clamp(x, accum(0.0), accum(6.0)); }
    case 3u: { return select(leak * x, x, x > accum(0.0)); }
    case 4u: { return clamp(x + 3.0, accum(0.0), accum(6.0)) / 6.0; }
    case 5u: { return x * clamp(x + 3.0, accum(0.0), accum(6.0)) / 6.0; }
    case 6u: { return sigmoid(x); }
    case 7u: { return x * sigmoid(x); }
    case 8u: { return tanh_of(x); }
    case 9u: { return x * normal_cdf(x); }
    case 10u: { return sqrt(x); }
    case 11u: { return exp(x); }
    case 12u: { return log(x); }
    case 13u: { return abs(x); }
    default: { return x * x; }
  }
}

fn activate(x: accum) -> accum { return activated(ACTIVATION, LEAK, x); }

fn activation_slope(x: accum) -> accum { return select(slope_of(x), x, is_nan(x)); }

fn slope_of(x: accum) -> accum {
  let zero = accum(0.0);
  let one = accum(1.0);
  switch (ACTIVATION) {
    case 0u: { return one; }
    case 1u: { return select(zero, one, x > zero); }
    case 2u: { return select(zero, one, (x > zero) & (x < accum(6.0))); }
    case 3u: { return select(accum(LEAK), one, x > zero); }
    case 4u: { return select(zero, accum(1.0 / 6.0), (x > accum(-3.0)) & (x < accum(3.0))); }
    case 5u: { return select(select(x / 3.0 + 0.5, one, x >= accum(3.0)), zero, x <= accum(-3.0)); }
    case 6u: { let s = sigmoid(x); return s * (1.0 - s); }
    case 7u: { let s = sigmoid(x); return s * (1.0 + x * (1.0 - s)); }
    case 8u: { let t = tanh_of(x); return 1.0 - t * t; }
    case 9u: { return normal_cdf(x) + x * exp(-0.5 * x * x) * 0.3989422804014327; }
    case 10u: { return 0.5 / sqrt(x); }
    case 11u: { return exp(x); }
    case 12u: { return 1.0 / x; }
    case 13u: { return sign(x); }
    default: { return 2.0 * x; }
  }
}
