package repair

import "fmt"

// Policy is what is done when members of a gang are lost.
type Policy string

// The policies. Unsaid stands for the default: Restart where the owner of the pods is known
// to make no replacement, but to make all pods again when it is suspended and resumed; else
// Replace.
const (
	Unsaid  Policy = ""
	Replace Policy = "replace"
	Restart Policy = "restart"
	Ignore  Policy = "ignore"
)

// ParsePolicy reads what a user wrote. What it cannot read is Unsaid, and an error says what
// may be written.
func ParsePolicy(word string) (Policy, error) {
	switch p := Policy(word); p {
	case Unsaid, Replace, Restart, Ignore:
		return p, nil
	}
	return Unsaid, fmt.Errorf("%q is no policy; expected %s, %s or %s, and the default is taken", word, Replace, Restart, Ignore)
}

// Owner is what the owner of the pods does, as far as it is known.
type Owner struct {
	// MakesAgain says that the pods are made again if all of them go.
	MakesAgain bool
	// Replaces says that a single pod that is lost is made again. It is true of owners of
	// which nothing is known: to wait for a pod that never comes costs less than to end a
	// gang for one that does.
	Replaces bool
}

// Or returns the policy, or the default if it is unsaid.
func (p Policy) Or(o Owner) Policy {
	switch {
	case p != Unsaid:
		return p
	case o.MakesAgain && !o.Replaces:
		return Restart
	}
	return Replace
}
