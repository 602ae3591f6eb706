// Package binder binds each pod once: however answers are lost, and whoever led before.
//
// A bind has failed only if it is known that it was not stored, and will not be; until then the pod
// keeps its room ([Binder], binding.go). A leader whose lease may be another's sends no bind, and
// tells the server to give up on those under way (fence.go). Its successor begins once the watch has
// told of every bind that the store has ([Takeover], takeover.go). Without an election, a bind that a
// predecessor sent just before its end may come later still.
package binder
