/** Which way a metric is better, by the names that tfjs, Keras and this project's commands give it. */

const BETTER_WHEN_LESS = `
  loss error mse mae mape msle rmse mean_squared_error mean_absolute_error mean_absolute_percentage_error
  mean_squared_logarithmic_error root_mean_squared_error rms huber huber_loss log_cosh logcosh hinge squared_hinge
  categorical_hinge poisson kl_divergence kld kullback_leibler_divergence crossentropy ce binary_crossentropy
  binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy sparse_categorical_crossentropy
  log_loss logloss perplexity false_positives false_negatives mean_relative_error learning_rate lr
  cosine_proximity cosine balanced_error absolute_difference sigmoid_cross_entropy softmax_cross_entropy brier brier_score
`;
const BETTER_WHEN_GREATER = `
  acc accuracy binary_accuracy categorical_accuracy sparse_categorical_accuracy top_k_accuracy
  top_k_categorical_accuracy sparse_top_k_categorical_accuracy balanced_accuracy auc roc_auc pr_auc auroc auprc precision
  recall true_positives true_negatives precision_at_recall recall_at_precision sensitivity specificity
  sensitivity_at_specificity specificity_at_sensitivity f1 f1_score fbeta fbeta_score r2 r2_score
  iou io_u binary_io_u mean_io_u one_hot_io_u one_hot_mean_io_u mean_iou dice cohen_kappa kappa mcc matthews
  cosine_similarity concordance_correlation pearson_correlation ndcg
`;
const names = (list: string) => new Set(list.trim().split(/\s+/));
const [LESS, GREATER] = [names(BETTER_WHEN_LESS), names(BETTER_WHEN_GREATER)];

/** "valMeanSquaredError", "val_MeanSquaredError_1" → "mean_squared_error". */
function plain(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
    .replace(/^val_/, '')
    .replace(/_\d+$/, '');
}

/**
 * @param name as in the logs of `fit`: "val_auc", "out_acc" (of the output "out"), "val_meanSquaredError", "auc_1"
 * @returns null where nothing is known. tfjs's cosineProximity is a loss and falls; Keras's cosine_similarity grows.
 */
export function directionOf(name: string): 'min' | 'max' | null {
  const words = plain(name).split('_');
  // Models of several outputs put the output's name before.
  for (let from = 0; from < words.length; from++) {
    const rest = words.slice(from).join('_');
    if (LESS.has(rest)) return 'min';
    if (GREATER.has(rest)) return 'max';
  }
  return null;
}
