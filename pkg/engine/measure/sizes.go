package measure

import "fmt"

// sizeClasses are the lowest sizes of classes, ascending, from 0 on.
type sizeClasses []int64

// A gang is sized by what all of its members ask for, a pod by what it asks for itself.
var (
	GangSizes = sizeClasses{0, 1, 8, 64, 512}
	podSizes  = sizeClasses{0, 1, 2, 8}
)

// name returns the name of the class that begins with the ith size.
func (c sizeClasses) name(i int) string {
	switch {
	case i == len(c)-1:
		return fmt.Sprintf("%d+", c[i])
	case c[i+1] == c[i]+1:
		return fmt.Sprint(c[i])
	}
	return fmt.Sprintf("%d-%d", c[i], c[i+1]-1)
}

func (c sizeClasses) names() []string {
	var out []string
	for i := range c {
		out = append(out, c.name(i))
	}
	return out
}

// Of returns the name of the class of a size.
func (c sizeClasses) Of(size int64) string {
	i := len(c) - 1
	for i > 0 && size < c[i] {
		i--
	}
	return c.name(i)
}
