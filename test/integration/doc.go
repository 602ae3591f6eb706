// Package integration tests the scheduler as users run it: its binary as a process
// of its own, as the service account of manifests/base, against a real API server
// with stock feature gates and RBAC on. So it does with the node agent, as the service
// account of manifests/agent, on a control plane of its own.
//
// Most tests share one control plane and run one after another, each in a namespace
// of its own that is empty again when the test ends. Tests that start a control plane of
// their own run after those, side by side. No test sleeps: each waits for what it expects,
// with a deadline.
//
// Files: environment_test.go (the control plane, the scheduler, waiting),
// pods_test.go (pods and gangs in every dialect), drift_test.go (the packing index
// after each test), cases_test.go and objects_test.go (scenarios as text),
// operators_test.go (released operators, see package operators), agentrun_test.go (the agent and its kubelet), and one file for each
// subject.
package integration
