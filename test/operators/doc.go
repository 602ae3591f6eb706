// Package operators runs the operators that make pods in clusters with GPUs, as they are
// released, against a cluster of this machine: so that Berth is tried on the pods that they
// make and not on what we think that these look like.
//
// [All] is the table of operators and of their versions. [Operator.Start] builds one from the
// module proxy, with a module file of its own, installs its definitions and webhooks, and
// runs it. The scenario of an operator is testdata/NAME.txt: rows, each with commands of
// test/integration, which plays them. [Page] writes what came of it as a page for users.
//
//	make test-operators    plays all of them and writes docs/compatibility.md; and Karpenter's
//
// The integration tests play those of JobSet, of LeaderWorkerSet and of the controllers of
// kube-controller-manager, which need no building.
//
// Spark and Ray are no Go programs: what the Spark operator and KubeRay need of them is played,
// by the commands in test/operators/spark and test/operators/ray.
//
// Operators run as the cluster's administrator, for their rights are not what is tried.
// Webhooks run where an operator does not work without them, at 127.0.0.1, with a
// certificate that the cluster signs.
//
// [KEDAScaler] is a program around the scaler of KEDA that reads Prometheus.
//
// [Autoscaling] are scenarios of what an autoscaler buys nodes for, and [Karpenter] is one.
//
// Files: operators.go, builtin.go, kueue.go, kubeflow.go, ray.go, spark.go and volcano.go (the
// table), autoscaler.go, keda.go, start.go (running), install.go (definitions and webhooks),
// scenario.go (reading scenarios), page.go (the page of results).
package operators
