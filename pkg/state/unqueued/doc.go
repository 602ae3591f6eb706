// Package unqueued decides which workloads may be tried while no Queue object exists. [Windows] bounds
// how many workloads of each namespace are tried without finding a place; package window of the core
// has the rule.
package unqueued
