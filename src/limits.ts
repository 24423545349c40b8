/** Features of one value (float32 numbers a sample) at most, in a network and in a program: 1 GiB a sample. */
export const MAX_FEATURES = 2 ** 28;
