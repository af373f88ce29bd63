export function protobufNotice(chunk: { readonly moduleIds: readonly string[] }): string;
