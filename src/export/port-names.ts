/** Names that a network for a rival and the rival share. */

/** Of an ONNX graph's inputs and outputs, in the order of the program's: its port names need not be unique. */
export const onnxInput = (index: number): string => `input_${index}`;
export const onnxOutput = (index: number): string => `output_${index}`;

/** The layer that a user of tfjs would write himself for the activations it lacks; the rival registers it. */
export const OWN_ACTIVATION = 'EspalierActivation';
