// Package unqueued says who may be tried while there is no Queue object: [Windows] has so many
// workloads of each namespace tried at a time that find no place. Package window of the core decides.
package unqueued
