// Package workload reads from a pod alone what decisions need of it.
//
// A workload is a gang or a plain pod: [IDOf] says of which a pod is, [NameOf] what it is called
// in a queue, and [Called] what a user calls it. [Member] translates a pod to a member of a gang,
// [Ranks] gives the ranks of its members. [RequestsAlike] says of two versions of a pod that they
// request the same, and [PlainRequests] what a pod requests that has no resources of its own.
package workload
