// Package record writes what is told to users and operators: events, conditions of pods, and
// decisions in the journal. It also knows what is news: a message that differs from the last ones
// in its counts alone is not.
package record
