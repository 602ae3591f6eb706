// Package waitreason says why pods wait, as codes and sentences, and reads and makes the condition
// PodScheduled that tells it.
//
// A code is one of a closed set ([All]): it is a label of metrics, and the reason of the condition.
// What a gang's verdict, a queue or a refusal says has its code there; the constants here are for
// what is left. Only what more nodes would help is "Unschedulable" ([InCondition]), because
// autoscalers buy nodes for that.
//
// Files: reason.go (explanations and conditions), labels.go (the closed set).
package waitreason
