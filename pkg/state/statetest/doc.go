// Package statetest makes pods for tests.
package statetest
