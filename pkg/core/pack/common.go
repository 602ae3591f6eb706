package pack

import "math/bits"

// Common keeps, of the pods of each size, which request is the usual one: that of more than
// half of them, if there is one (the majority vote of Boyer and Moore). The size of a request
// is its number of devices, rounded up to a power of two. What is kept does not grow with the
// pods, and a vote never counts more than [mostVotes] pods, so that another request becomes
// the usual one in time. It is not safe for concurrent use.
type Common struct {
	votes map[commonKey]*vote
}

type commonKey struct {
	kind DeviceKind
	size int32
}

type vote struct {
	request Amounts
	lead    int
}

// mostVotes bounds how far a request may be ahead of others.
const mostVotes = 256

// Sizes are the sizes that are told apart, in devices. A request for more counts as one of
// the largest.
func Sizes() []int32 { return []int32{1, 2, 4, 8, 16} }

// SizeOf returns the size of a number of devices; 0 if there are none.
func SizeOf(devices int32) int32 {
	if devices <= 0 {
		return 0
	}
	return min(int32(1)<<bits.Len32(uint32(devices-1)), 16)
}

// Note takes in what a pod asks for.
func (c *Common) Note(request Amounts) {
	size := SizeOf(request.Devices)
	if size == 0 || request.Kind == NoDevice {
		return
	}
	if c.votes == nil {
		c.votes = map[commonKey]*vote{}
	}
	key := commonKey{request.Kind, size}
	v := c.votes[key]
	switch {
	case v == nil:
		c.votes[key] = &vote{request, 1}
	case v.request == request:
		v.lead = min(v.lead+1, mostVotes)
	case v.lead > 0:
		v.lead--
	default:
		v.request, v.lead = request, 1
	}
}

// Of returns the usual request of a size; false if no pod asked for any.
func (c *Common) Of(kind DeviceKind, size int32) (Amounts, bool) {
	if v := c.votes[commonKey{kind, size}]; v != nil {
		return v.request, true
	}
	return Amounts{}, false
}
