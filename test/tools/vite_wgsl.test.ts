import { expect, test } from "vitest";
import { minified } from "../../tools/vite_wgsl.mjs";

test("minified WGSL has lost what means nothing, and no space that parts two signs or two words", () => {
  const code = `// adds
enable f16;

fn sum(x: vec2f, y: ptr<function, i32>) -> i32 { /* in /* two */ parts */
  let z = select(1, -1, x.x < 0.0 && !(x.y >= 1.0)) - -2 + 3 / *y;  // of them
  return z;
}
`;
  expect(minified(code).split("\n")).toEqual([
    "enable f16;",
    "fn sum(x:vec2f,y:ptr<function,i32>)->i32{",
    "let z=select(1, -1,x.x<0.0&& !(x.y>=1.0))- -2+3/ *y;",
    "return z;",
    "}",
  ]);
});
