// Package reporting tells users and other programs what becomes of gangs and pods, and limits what
// is written for that: the API is scarce. The scheduler gets its client and its recorders from here:
//
//   - the condition of a waiting pod is written once, after a delay, and only if it says something
//     new ([ConditionWriter]); upstream's own writes of pods come to it too ([WritePods]);
//   - the status of a translated group goes to the object that declared the gang, and the events of
//     its pods become one event for the gang ([Reporter]);
//   - a waiting pod to which nothing was said is told why it waits ([Explainer]);
//   - a plain pod keeps its events, without repetitions; when many pods are placed at once, some
//     events of placed pods are left out ([EventBudget]);
//   - a bind goes to package binder, which follows up an answer that is lost ([Client]);
//   - queues say what they use and who is next, and objects whose controllers wait for it say that their
//     gang is admitted ([QueueStatusWriter], [AnnouncedWriter]);
//   - a label or annotation that looks like one of Berth's and is none is warned of, once for each
//     owner ([UnknownKeys]).
//
// Files: client.go and podcalls.go (what the scheduler writes with), conditions.go and
// conditionqueue.go (conditions, and in which order), recorder.go (events of plain pods), reporter.go
// and refusal.go (gangs), timing.go (how long they took), explain.go and explainer.go (why pods wait),
// queuestatus.go and announced.go, unknownkeys.go.
package reporting
