import { describeOperation } from "../describe_operation.ts";
import { nearestIndicesOperation, nearestRowsOperation } from "../operations/nearest_rows.ts";

describeOperation(nearestRowsOperation);
describeOperation(nearestIndicesOperation);
