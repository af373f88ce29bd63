const NOTICE =
  "/*! Contains @bufbuild/protobuf: Copyright Buf Technologies, Inc., Apache-2.0, http://www.apache.org/licenses/LICENSE-2.0; and parts of Google's protobuf, BSD-3-Clause. */";

/** The head of a bundle's file: a licence goes where its code goes, and the bundler drops the comments that say so. */
export const protobufNotice = ({ moduleIds }) =>
  moduleIds.some((id) => id.includes("@bufbuild/protobuf")) ? NOTICE : "";
