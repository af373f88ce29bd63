const NOTICE =
  "/*! Contains @bufbuild/protobuf: Copyright Buf Technologies, Inc., Apache-2.0, http://www.apache.org/licenses/LICENSE-2.0; and parts of Google's protobuf, BSD-3-Clause. */";

/** Header of a bundle that contains protobuf: the licence must accompany the code, and the bundler drops comments. */
export const protobufNotice = ({ moduleIds }) =>
  moduleIds.some((id) => id.includes("@bufbuild/protobuf")) ? NOTICE : "";
