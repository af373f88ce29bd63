import { describeOperation } from "../harness/describe_operation.ts";
import { winogradOperation, winogradWithActivation } from "../operations/winograd.ts";

describeOperation(winogradOperation);
describeOperation(winogradWithActivation);
