package drills

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berth-dev/berth/pkg/localcluster"
	"github.com/berth-dev/berth/pkg/localcluster/drill"
)

// A Drill is something that goes wrong, and what is done about it.
type Drill struct {
	Name, Title string
	// Does says in sentences what is done.
	Does string
	play func(ctx context.Context, c *course) error
}

// All returns the drills in the order in which they are played.
func All() []Drill {
	return []Drill{
		{"node-loss", "Loss of a node", "A node under a gang loses power. It boots again once the gang is whole without it.", nodeLoss},
		{"rack-loss", "Loss of a rack", "The switch of a rack fails, and with it all nodes of a gang and the spare node are cut off. It is replaced once the gang is whole in another rack.", rackLoss},
		{"rack-restart", "Loss of the rack of a gang that is restarted", "The same, under a gang that asks for on-loss: restart. Berth suspends its Job, whose pods cannot end, for their kubelets do not answer.", rackRestart},
		{"zone-loss", "Loss of a zone", "A third of the nodes, all of a zone, are cut off at once. They are back once all gangs are whole in the other zones.", zoneLoss},
		{"drain", "Drain of a rack in use", "All nodes of a rack are cordoned and their pods evicted, as kubectl drain does, and the nodes are uncordoned once the gang is whole in another rack.", drainRack},
		{"ill-gpu", "A GPU falls ill", "The agent of a node reports a GPU as unhealthy while a gang has it. Once Berth has told of it, the pod is deleted, as by its owner. The GPU is well again once the gang is whole without it.", illGPU},
		{"refused-pod", "A pod is refused", "The kubelets of a node in each rack refuse all pods. A gang that fills a rack is submitted; the kubelets take pods again once Berth has told that one was refused.", refusedPod},
		{"etcd-stop", "API outage", fmt.Sprintf("Four gangs are submitted, and when the first of their pods has a node etcd is stopped for %s.", outage), etcdStop},
		{"slow-api", "A slow API", fmt.Sprintf("The API server does not answer for half a second of each second, for %s, and a gang is submitted meanwhile.", outage), slowAPI},
		{"leader-kill", "Death of the leader", "Four gangs are submitted, and when the first of their pods has a node the replica that leads is killed (SIGKILL). The other one has to take over, and to finish them.", leaderKill},
		{"spike", "An inference spike", fmt.Sprintf("Gangs of one queue borrow all racks that are empty, %d GPUs of them guaranteed to another queue. Then a Deployment of that one is scaled from 0 to %d pods of one GPU, and to 0 again once all of them run. %d GPUs are free, so that four or five gangs would have to stop for it. All gangs have to be whole again after it.", spikePods, spikePods, gangs*(rackSize-gangSize)*nodeGPUs), spike},
		{"foreign", "A foreign scheduler on the same nodes", fmt.Sprintf("kube-scheduler runs beside Berth, without nodes of its own. %d times a gang is submitted to Berth and %d pods of whole nodes to kube-scheduler, at one moment. Kubelets refuse what their node has no room for. The foreign pods are deleted after %s at most, and the gang has to be whole then.", foreignRounds, foreignPods, foreignStay), foreign},
		{"rollout", "A rollout under load", "Each replica is replaced as by a rolling update: one more is started, and when it stands by the old one is ended (SIGTERM). Meanwhile gangs are submitted, the old one being ended when the first pod of one has a node.", rollout},
	}
}

// Missing are drills that are not played yet.
func Missing() []string {
	return []string{
		"Thousands of random faults at random moments: `make chaos` plays these, without a timeline.",
	}
}

// Named returns drills by their names, in the order in which they are played; all, if none are named.
func Named(names []string) ([]Drill, error) {
	if len(names) == 0 {
		return All(), nil
	}
	want := map[string]bool{}
	for _, name := range names {
		want[name] = true
	}
	var out []Drill
	var known []string
	for _, d := range All() {
		known = append(known, d.Name)
		if want[d.Name] {
			out = append(out, d)
			delete(want, d.Name)
		}
	}
	if unknown := sortedKeys(want); len(unknown) > 0 {
		return nil, fmt.Errorf("there is no drill %q; name some of %s", unknown[0], strings.Join(known, ", "))
	}
	return out, nil
}

// outage is how long the API is away, or slow.
const outage = 20 * time.Second

func nodeLoss(ctx context.Context, c *course) error {
	nodes, _ := c.places("train-1")
	lost := nodes[len(nodes)-1:]
	return c.fault(ctx, drill.Kill(c.client, lost), lost, lost[0]+", with a pod of train-1, loses power")
}

func rackLoss(ctx context.Context, c *course) error {
	_, rack := c.places("train-2")
	lost := c.inRack(rack)
	return c.fault(ctx, drill.Darken(c.client, lost), lost, fmt.Sprintf("the %d nodes of %s, with train-2, are cut off", len(lost), rack))
}

// rackRestart has a gang of its own, which is to be restarted: the others are replaced.
func rackRestart(ctx context.Context, c *course) error {
	const name = "restarted"
	if err := c.submit(ctx, name, ask{onLoss: "restart"}); err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	c.begin()
	_, rack := c.places(name)
	lost := c.inRack(rack)
	if err := c.fault(ctx, drill.Darken(c.client, lost), lost, fmt.Sprintf("the %d nodes of %s, with %s, are cut off", len(lost), rack, name)); err != nil {
		return err
	}
	return c.withdrawAll(ctx, name)
}

func zoneLoss(ctx context.Context, c *course) error {
	nodes, _ := c.places("train-1")
	zone, under := "", 0
	_ = c.observer.check(func(l *ledger) { zone = l.nodes[nodes[0]].zone })
	lost := c.nodesThat(func(n node) bool { return n.zone == zone })
	for gang := range c.sizes {
		if on, _ := c.places(gang); slices.Contains(lost, on[0]) {
			under++
		}
	}
	return c.fault(ctx, drill.Darken(c.client, lost), lost, fmt.Sprintf("the %d nodes of zone %s, with %d gangs, are cut off", len(lost), zone, under))
}

func drainRack(ctx context.Context, c *course) error {
	_, rack := c.places("train-3")
	nodes := c.inRack(rack)
	drained := drill.Drain(c.client, nodes, func(line string) { c.moment("drain: %s", line) })
	return c.fault(ctx, drained, nodes, fmt.Sprintf("the %d nodes of %s, with train-3, are drained", len(nodes), rack))
}

func illGPU(ctx context.Context, c *course) error {
	var victim pod
	_ = c.observer.check(func(l *ledger) { victim = l.of("train-4", nil)[0] })
	if len(victim.devices) == 0 {
		return fmt.Errorf("pod %s was given no devices", victim.name)
	}
	f := illDevice{c.dynamic, victim.node, victim.devices[0]}
	mark := func(ill bool) { _ = c.observer.check(func(l *ledger) { l.ill[f.device] = ill }) }
	mark(true)
	defer mark(false)
	return c.fault(ctx, faultThen{f, func(ctx context.Context) error {
		if err := c.told(ctx, "DeviceUnhealthy", "train-4"); err != nil {
			return err
		}
		c.moment("pod %s is deleted", victim.name)
		if err := c.client.CoreV1().Pods(namespace).Delete(ctx, victim.name, metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("deleting pod %q: %w", victim.name, err)
		}
		return c.await(ctx, "pod "+victim.name+" leaves", func(l *ledger) string {
			if p, there := l.pods[victim.uid]; there && !p.leaving {
				return "it runs"
			}
			return ""
		})
	}}, nil, fmt.Sprintf("%s of %s, which pod %s has, falls ill", f.device, f.node, victim.name))
}

// faultThen is a fault after which something else is done.
type faultThen struct {
	drill.Fault
	then func(context.Context) error
}

func (f faultThen) Apply(ctx context.Context) error {
	if err := f.Fault.Apply(ctx); err != nil {
		return err
	}
	return f.then(ctx)
}

func refusedPod(ctx context.Context, c *course) error {
	first := map[string]string{} // a node of each rack
	_ = c.observer.check(func(l *ledger) {
		for _, name := range sortedKeys(l.nodes) {
			if rack := l.nodes[name].rack; first[rack] == "" {
				first[rack] = name
			}
		}
	})
	var refusing []string
	for _, rack := range sortedKeys(first) {
		refusing = append(refusing, first[rack])
	}
	const name = "refused"
	refuse := drill.Refuse(c.client, refusing, localcluster.ReasonUnexpectedAdmission)
	if err := refuse.Apply(ctx); err != nil {
		return err
	}
	c.moment("%d kubelets refuse all pods", len(refusing))
	err := c.submit(ctx, name, ask{})
	if err == nil {
		err = c.told(ctx, "GangShort", name)
	}
	if undone := refuse.Undo(ctx); undone != nil {
		return errors.Join(err, undone)
	}
	if err != nil {
		return err
	}
	c.moment("the kubelets take pods again")
	if err := c.untilWhole(ctx); err != nil {
		return err
	}
	return c.withdrawAll(ctx, name)
}

func etcdStop(ctx context.Context, c *course) error {
	names := []string{"outage-1", "outage-2", "outage-3", "outage-4"}
	if err := c.submitAll(ctx, names...); err != nil {
		return err
	}
	return c.away(ctx, names, drill.StopEtcd(c.running), "etcd is stopped", func(context.Context) error { return nil })
}

func slowAPI(ctx context.Context, c *course) error {
	const name = "slowly"
	slow := drill.SlowAPI(c.running, 500*time.Millisecond, time.Second)
	return c.away(ctx, []string{name}, slow, "the API answers half of the time", func(ctx context.Context) error { return c.submit(ctx, name, ask{}) })
}

// away has the API away for a while, does something meanwhile, and has the gangs whole after it.
func (c *course) away(ctx context.Context, names []string, f drill.Fault, what string, meanwhile func(context.Context) error) error {
	c.outcome.Away = outage
	var failed error
	watch := func(ctx context.Context) (string, error) {
		lack := "all gangs are whole"
		_ = c.observer.check(func(l *ledger) {
			if l := c.lacking(l); l != "" {
				lack = l
			}
		})
		if c.outcome.Whole == 0 && c.sizes[names[0]] > 0 && lack == "all gangs are whole" {
			c.outcome.Whole = time.Since(c.start)
			c.moment("all gangs are whole")
		}
		return lack, nil
	}
	c.moment("%s, for %s", what, outage)
	begun := faultThen{f, func(ctx context.Context) error {
		failed = meanwhile(ctx)
		return nil
	}}
	err := drill.Hold(ctx, begun, outage, watch, func(line string) { c.say("  %s", line) })
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	c.moment("the API is as it was")
	if c.outcome.Whole == 0 {
		if err := c.untilWhole(ctx); err != nil {
			return err
		}
	}
	return c.withdrawAll(ctx, names...)
}

func leaderKill(ctx context.Context, c *course) error {
	names := []string{"taken-over-1", "taken-over-2", "taken-over-3", "taken-over-4"}
	if err := c.submitAll(ctx, names...); err != nil {
		return err
	}
	leader := c.replicas.leader()
	if leader == nil {
		return errors.New("no replica of the scheduler says that it leads")
	}
	c.moment("%s, which leads, is killed", leader.name)
	leader.Kill()
	if err := c.untilWhole(ctx); err != nil {
		return err
	}
	return c.withdrawAll(ctx, names...)
}

func rollout(ctx context.Context, c *course) error {
	var names []string
	for _, old := range c.replicas.now() {
		next, err := c.replicas.run(ctx)
		if err != nil {
			return err
		}
		c.moment("%s is started", next.name)
		submit := func() error {
			name := fmt.Sprintf("rolled-%d", len(names)+1)
			names = append(names, name)
			return c.submitAll(ctx, name)
		}
		if err := submit(); err != nil {
			return err
		}
		err = c.await(ctx, next.name+" stands by", func(*ledger) string {
			if next.says(standsBy) {
				return ""
			}
			return "it does not"
		})
		if err != nil {
			return err
		}
		if err := submit(); err != nil {
			return err
		}
		c.moment("%s is ended", old.name)
		c.replicas.retire(ctx, old)
	}
	if err := c.untilWhole(ctx); err != nil {
		return err
	}
	return c.withdrawAll(ctx, names...)
}
