//go:build race

package engine

// raced says that the race detector looks on, which takes several times as long.
const raced = true
