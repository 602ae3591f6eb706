// Package disruption counts what PodDisruptionBudgets allow: [Budgets] says for a set of pods which
// budgets match them and whether all may be evicted at once.
package disruption
