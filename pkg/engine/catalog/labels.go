package catalog

// The labels whose values are names. Administrators make queues, and list the resources of
// which queues have quotas and which are devices.
var (
	// QueueLabel has the name of a queue.
	QueueLabel = Label{Name: "queue", Of: "queues"}
	// ResourceLabel has the name of a resource of which a queue has a quota.
	ResourceLabel = Label{Name: "resource", Of: "resources of which queues have quotas"}
	// DeviceLabel has the name of a resource that counts as devices.
	DeviceLabel = Label{Name: "resource", Of: "devices of the configuration that nodes have"}
)

// Labels are the names of all labels that a metric may have. Another one is added here after
// it is made sure that its values are few and none is made by a user of the cluster.
func Labels() []string {
	return []string{"amount", "gpus", "kind", "level", "outcome", "queue", "reason", "resource", "result", "side", "state", "why"}
}
