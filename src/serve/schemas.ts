/** JSON schemas of the REST bodies, for the OpenAPI document. Requests themselves are checked by the codec. */

const parameters = {
  type: 'object',
  description: 'Free parameters; those of a request are echoed.',
  additionalProperties: { type: ['string', 'number', 'boolean'] },
};

const datatype = {
  type: 'string',
  enum: [
    ...['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'],
    ...['FP16', 'BF16', 'FP32', 'FP64', 'BYTES'],
  ],
};

const extents = { type: 'array', items: { type: 'integer' } };
const tensorData = { type: 'array', items: {}, description: 'Row-major numbers, flat or nested.' };

const tensorMetadata = {
  type: 'object',
  required: ['name', 'datatype', 'shape'],
  properties: { name: { type: 'string' }, datatype, shape: { ...extents, description: '-1 is the batch.' } },
};

export const SCHEMAS = {
  live: { type: 'object', required: ['live'], properties: { live: { type: 'boolean' } } },
  ready: { type: 'object', required: ['ready'], properties: { ready: { type: 'boolean' } } },
  modelReady: {
    type: 'object',
    required: ['name', 'ready'],
    properties: { name: { type: 'string' }, ready: { type: 'boolean' } },
  },
  server: {
    type: 'object',
    required: ['name', 'version', 'extensions'],
    properties: {
      name: { type: 'string' },
      version: { type: 'string' },
      extensions: { type: 'array', items: { type: 'string' } },
    },
  },
  model: {
    type: 'object',
    required: ['name', 'versions', 'platform', 'inputs', 'outputs'],
    properties: {
      name: { type: 'string' },
      versions: { type: 'array', items: { type: 'string' } },
      platform: { type: 'string' },
      inputs: { type: 'array', items: tensorMetadata },
      outputs: { type: 'array', items: tensorMetadata },
    },
  },
  inferRequest: {
    type: 'object',
    required: ['inputs'],
    properties: {
      id: { type: 'string' },
      parameters,
      inputs: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          required: ['name', 'shape', 'datatype'],
          properties: { name: { type: 'string' }, shape: extents, datatype, parameters, data: tensorData },
        },
      },
      outputs: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name'],
          properties: { name: { type: 'string' }, parameters },
        },
      },
    },
  },
  inferResponse: {
    type: 'object',
    required: ['model_name', 'outputs'],
    properties: {
      model_name: { type: 'string' },
      model_version: { type: 'string' },
      id: { type: 'string' },
      parameters,
      outputs: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'shape', 'datatype'],
          properties: { name: { type: 'string' }, shape: extents, datatype, parameters, data: tensorData },
        },
      },
    },
  },
  index: {
    type: 'array',
    items: {
      type: 'object',
      required: ['name', 'version', 'state', 'reason'],
      properties: {
        name: { type: 'string' },
        version: { type: 'string' },
        state: { type: 'string', enum: ['READY', 'LOADING', 'UNAVAILABLE'] },
        reason: { type: 'string' },
      },
    },
  },
  empty: { type: 'object' },
  statistics: {
    type: 'object',
    required: ['model_stats'],
    properties: { model_stats: { type: 'array', items: { type: 'object', additionalProperties: true } } },
  },
  config: { type: 'object', additionalProperties: true },
  error: { type: 'object', required: ['error'], properties: { error: { type: 'string' } } },
} as const;
