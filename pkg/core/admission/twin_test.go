package admission

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/berth/pkg/core/quota"
)

// twin is the admission as anybody would first write it: a list of gangs, and the order of
// everything made anew for each question.
type twin struct {
	tree      *quota.Tree
	config    Config
	scale     *quota.Scale
	used, all *quota.Usage
	averages  *quota.Averages
	gangs     []*twinGang
	keyed     quota.Time
	stale     bool
}

type twinGang struct {
	Gang
	stage stage
	// passed is how often a gang behind it was placed.
	passed int
}

func newTwin(tree *quota.Tree, config Config) *twin {
	return &twin{tree: tree, config: config.sane(), used: quota.NewUsage(tree), all: quota.NewUsage(tree), averages: quota.NewAverages(tree), stale: true}
}

// compare orders two gangs of one queue.
func (tw *twin) compare(a, b *twinGang) int {
	byPriority := cmp.Compare(b.Priority, a.Priority)
	if tw.tree.Order(a.Queue) == quota.FIFO {
		byPriority = 0
	}
	return cmp.Or(byPriority, cmp.Compare(a.Arrived, b.Arrived), strings.Compare(a.Name, b.Name))
}

// line returns the gangs of a queue in order, but for those that never fit.
func (tw *twin) line(leaf quota.QueueID) []*twinGang {
	var line []*twinGang
	for _, g := range tw.gangs {
		if tw.tree.Own(g.Queue) == leaf && g.stage != beyond {
			line = append(line, g)
		}
	}
	slices.SortFunc(line, tw.compare)
	return line
}

// overtaken is how often a gang was, with those that were admitted behind it.
func (tw *twin) overtaken(g *twinGang) int {
	n := g.passed
	for _, other := range tw.line(tw.tree.Own(g.Queue)) {
		if other.stage == admitted && tw.compare(g, other) < 0 {
			n++
		}
	}
	return n
}

// bar returns the gang of a line that those behind it wait for.
func (tw *twin) bar(line []*twinGang) *twinGang {
	without := 0
	for _, g := range line {
		if g.stage == refused {
			without++
		}
		if tw.overtaken(g) >= tw.config.Overtaking || g.stage == refused && without == tw.config.Backlog {
			return g
		}
	}
	return nil
}

func fits(asks, room quota.Vector) bool {
	for r := range asks {
		if asks[r] > 0 && asks[r] > room[r] {
			return false
		}
	}
	return true
}

// find returns the first gang of a queue for which there is room.
func (tw *twin) find(q quota.QueueID, room quota.Vector) *twinGang {
	if tw.tree.Fault(q) != nil {
		return nil
	}
	mine := slices.Clone(room)
	for r := range mine {
		mine[r] = min(mine[r], tw.tree.Limit(q)[r].Minus(tw.all.Of(q)[r]))
	}
	if tw.tree.Own(q) == q {
		line := tw.line(q)
		bar := tw.bar(line)
		for _, g := range line {
			if g.stage == waiting && fits(g.Asks, mine) {
				return g
			}
			if g == bar {
				return nil
			}
		}
		return nil
	}
	type candidate struct {
		q    quota.QueueID
		head *twinGang
	}
	var candidates []candidate
	first, n := tw.tree.Children(q)
	for child := first; child < first+quota.QueueID(n); child++ {
		if head := tw.find(child, tw.endless()); head != nil {
			candidates = append(candidates, candidate{child, head})
		}
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		ratio := func(c candidate) quota.Ratio {
			return tw.scale.Ratio(c.q, tw.all.Of(c.q), c.head.Asks, tw.used, tw.averages, tw.keyed)
		}
		fair := cmp.Compare(ratio(a), ratio(b))
		switch tw.tree.Order(q) {
		case quota.Priority:
			fair = cmp.Or(cmp.Compare(b.head.Priority, a.head.Priority), fair)
		case quota.FIFO:
			fair = cmp.Compare(a.head.Arrived, b.head.Arrived)
		}
		return cmp.Or(cmp.Compare(tw.class(a.q, a.head), tw.class(b.q, b.head)), fair, cmp.Compare(a.q, b.q))
	})
	for _, c := range candidates {
		if g := tw.find(c.q, mine); g != nil {
			return g
		}
	}
	return nil
}

func (tw *twin) endless() quota.Vector {
	v := make(quota.Vector, len(tw.tree.Resources()))
	for r := range v {
		v[r] = quota.Unlimited
	}
	return v
}

func (tw *twin) class(q quota.QueueID, head *twinGang) int {
	switch {
	case tw.all.Within(q, head.Asks):
		return 0
	case tw.scale.Weightless(q, tw.all.Of(q), head.Asks):
		return 2
	}
	return 1
}

func (tw *twin) next(now quota.Time) (string, bool) {
	step := time.Duration(0)
	for q := range quota.QueueID(tw.tree.Len()) {
		if h := tw.tree.HalfLife(q); h > 0 && (step == 0 || h/256 < step) {
			step = max(1, h/256)
		}
	}
	if tw.stale || step > 0 && now >= tw.keyed && time.Duration(now-tw.keyed) >= step {
		tw.keyed, tw.stale = now, false
	}
	if tw.inside() >= tw.config.Window {
		return "", false
	}
	g := tw.find(quota.RootID, tw.endless())
	if g == nil {
		return "", false
	}
	g.stage = admitted
	tw.must(tw.all.Charge(g.Queue, g.Asks))
	return g.Name, true
}

func (tw *twin) inside() int {
	n := 0
	for _, g := range tw.gangs {
		if g.stage == admitted {
			n++
		}
	}
	return n
}

// claim admits a gang that waits for a limit.
func (tw *twin) claim(name string) bool {
	g := tw.get(name)
	if tw.reason(name).Code != AtLimit || tw.inside() >= tw.config.Window {
		return false
	}
	g.stage = admitted
	tw.must(tw.all.Charge(g.Queue, g.Asks))
	return true
}

func (tw *twin) ahead(name string) bool {
	g := tw.get(name)
	if g.stage != waiting || tw.inside() >= tw.config.Window {
		return false
	}
	if _, ok := tw.all.CanCharge(g.Queue, g.Asks); !ok {
		return false
	}
	tw.must(tw.all.Charge(g.Queue, g.Asks))
	g.stage = admitted
	return true
}

func (tw *twin) hold(name string) bool {
	g := tw.get(name)
	switch g.stage {
	case held, beyond:
		return false
	case waiting, refused:
		tw.must(tw.all.Charge(g.Queue, g.Asks))
	}
	g.stage = held
	return true
}

func (tw *twin) resume(name string) bool {
	g := tw.get(name)
	if g.stage != held || tw.inside() >= tw.config.Window {
		return false
	}
	g.stage = admitted
	return true
}

func (tw *twin) must(_ quota.Undo, err error) {
	if err != nil {
		panic(err)
	}
}

func (tw *twin) get(name string) *twinGang {
	i := slices.IndexFunc(tw.gangs, func(g *twinGang) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return tw.gangs[i]
}

func (tw *twin) placed(name string) {
	g := tw.get(name)
	for _, other := range tw.line(tw.tree.Own(g.Queue)) {
		if tw.compare(other, g) < 0 {
			other.passed++
		}
	}
	tw.gone(name)
}

func (tw *twin) refused(name string) {
	g := tw.get(name)
	tw.must(tw.all.Release(g.Queue, g.Asks))
	g.stage = refused
}

func (tw *twin) retry() {
	for _, g := range tw.gangs {
		if g.stage == refused {
			g.stage = waiting
		}
	}
}

func (tw *twin) gone(name string) {
	g := tw.get(name)
	if g.stage == admitted || g.stage == held {
		tw.must(tw.all.Release(g.Queue, g.Asks))
	}
	tw.gangs = slices.DeleteFunc(tw.gangs, func(other *twinGang) bool { return other == g })
}

// reason says why a gang waits, by looking at everything.
func (tw *twin) reason(name string) Reason {
	g := tw.get(name)
	leaf := tw.tree.Own(g.Queue)
	why := Reason{Code: Turn, Queue: g.Queue}
	line := tw.line(leaf)
	for _, other := range line {
		if tw.compare(other, g) < 0 {
			why.Ahead++
		}
	}
	bar := tw.bar(line)
	refusal, ok := tw.all.CanCharge(g.Queue, g.Asks)
	switch {
	case refusal.Fault != nil:
		why.Code, why.Refusal = Faulty, refusal
	case g.stage == admitted:
		why.Code = Admitted
	case g.stage == held:
		why.Code = Claims
	case g.stage == refused:
		why.Code = NoRoom
	case g.stage == beyond:
		why.Code = NeverFits
		why.Refusal, _ = quota.NewUsage(tw.tree).CanCharge(g.Queue, g.Asks)
	case bar != nil && tw.compare(bar, g) < 0:
		why.Code, why.For, why.Overtaken = Held, bar.Name, tw.overtaken(bar)
	case !ok:
		why.Code, why.Refusal = AtLimit, refusal
	case why.Ahead > 0:
		why.Code = Behind
	}
	return why
}

// pair is an admission and its twin, in the same state.
type pair struct {
	*Admission
	twin    *twin
	now     quota.Time
	charges []charged
	codes   map[Code]int
	chosen  int
	// claims counts the claims, those that were held, admitted again and admitted ahead.
	claims [4]int
	// renewed counts how often a gang was put back, or all of them into another tree.
	renewed  int
	capacity quota.Vector
	// specs are those of the tree, and changed counts how often one of them was another.
	specs   []quota.Spec
	changed int
}

// charged is what was charged to a queue.
type charged struct {
	queue quota.QueueID
	v     quota.Vector
}

// randomSpecs returns those of a tree with every order, limits, half-lives, and now and then a fault.
func randomSpecs(r *rand.Rand, queues int) []quota.Spec {
	specs := make([]quota.Spec, 1+r.IntN(queues))
	for i := range specs {
		specs[i] = quota.Spec{Name: fmt.Sprintf("q%d", i), Resources: map[string]quota.Quota{}, Order: quota.Order(r.IntN(3))}
		if i > 0 && r.IntN(3) > 0 {
			specs[i].Parent = fmt.Sprintf("q%d", r.IntN(i))
		}
		if r.IntN(6) == 0 {
			specs[i].HalfLife = time.Duration(1 + r.IntN(5_000))
		}
		randomAmounts(r, specs[i].Resources)
	}
	return specs
}

func randomAmounts(r *rand.Rand, of map[string]quota.Quota) {
	for _, resource := range resources {
		q := quota.Quota{}
		if r.IntN(2) == 0 {
			q.Guaranteed = new(quota.Amount(r.IntN(8)))
		}
		if r.IntN(3) == 0 {
			q.Limit = new(quota.Amount(7 + r.IntN(20)))
		}
		if r.IntN(3) == 0 {
			q.Weight = new(quota.Amount(r.IntN(4)))
		}
		of[resource] = q
	}
}

var resources = []string{"gpu", "cpu"}

func newPair(r *rand.Rand, queues int) *pair {
	specs := randomSpecs(r, queues)
	tree, _ := quota.NewTree(specs, resources)
	config := Config{Window: r.IntN(6), Overtaking: r.IntN(5), Backlog: r.IntN(5)}
	p := &pair{Admission: New(tree, quota.Vector{20, 40}, config), twin: newTwin(tree, config), codes: map[Code]int{}, capacity: quota.Vector{20, 40}, specs: specs}
	p.twin.scale = quota.NewScale(tree, quota.Vector{20, 40})
	return p
}

// some returns a gang of a stage, if there is one.
func (p *pair) some(r *rand.Rand, s stage) string {
	var names []string
	for _, g := range p.twin.gangs {
		if g.stage == s {
			names = append(names, g.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return names[r.IntN(len(names))]
}

// stepClaim has a gang claimed, held or admitted again in both.
func (p *pair) stepClaim(t *testing.T, r *rand.Rand) {
	t.Helper()
	if len(p.twin.gangs) == 0 {
		return
	}
	name := p.twin.gangs[r.IntN(len(p.twin.gangs))].Name
	what := []int{0, 0, 0, 1, 2, 3}[r.IntN(6)]
	if other := p.some(r, held); what == 2 && other != "" {
		name = other
	}
	var got, want bool
	switch what {
	case 0:
		_, got = p.Claim(name)
		want = p.twin.claim(name)
	case 1:
		got, want = p.Hold(name), p.twin.hold(name)
	case 3:
		_, got = p.Ahead(name)
		want = p.twin.ahead(name)
	default:
		_, got = p.Resume(name)
		want = p.twin.resume(name)
	}
	if got != want {
		t.Fatalf("step %d of a claim of %q: %v, want %v", what, name, got, want)
	}
	if got {
		p.claims[what]++
	}
}

// step does one thing to both.
func (p *pair) step(t *testing.T, r *rand.Rand) {
	t.Helper()
	p.now += quota.Time(r.IntN(100))
	q := quota.QueueID(r.IntN(p.tree.Len()))
	if up := p.tree.Parent(q); up != quota.NoQueue && p.tree.Own(up) == q {
		q = up
	}
	v := quota.Vector{quota.Amount(r.IntN(9)), quota.Amount(r.IntN(4) * r.IntN(4))}
	switch r.IntN(14) {
	case 13:
		switch r.IntN(8) {
		case 0:
			p.renew(t, r)
		case 1, 2:
			p.change(t, r)
		default:
			p.again(t, r)
		}
	case 12:
		p.stepClaim(t, r)
	case 0, 1, 2:
		g := Gang{Name: fmt.Sprintf("g%d", r.IntN(1000)), Queue: q, Priority: int32(r.IntN(3) - 1), Arrived: quota.Time(r.IntN(20)), Asks: v, Overtaken: r.IntN(2)}
		if r.IntN(8) == 0 {
			g.Overtaken = NeverBars
		}
		err := p.Push(g)
		if known := p.twin.get(g.Name) != nil; known != (err != nil) {
			t.Fatalf("queueing %q, which is there: %v: %v", g.Name, known, err)
		}
		if err != nil {
			return
		}
		added := &twinGang{Gang: g, passed: g.Overtaken}
		for up := q; up != quota.NoQueue; up = p.tree.Parent(up) {
			if !fits(v, p.tree.Limit(up)) {
				added.stage = beyond
			}
		}
		p.twin.gangs = append(p.twin.gangs, added)
	case 3, 4, 5:
		got, ok := p.Next(p.now)
		want, wanted := p.twin.next(p.now)
		if ok != wanted || got.Name != want {
			t.Fatalf("next is %q, want %q", got.Name, want)
		}
		if ok {
			p.chosen++
		}
	case 6, 7:
		if name := p.some(r, admitted); name != "" {
			g := p.twin.get(name)
			if r.IntN(3) > 0 {
				p.charge(t, g.Queue, g.Asks)
			}
			if !p.Placed(name) {
				t.Fatalf("%q was admitted, and cannot be placed", name)
			}
			p.twin.placed(name)
		}
	case 8:
		if name := p.some(r, admitted); name != "" {
			if !p.Refused(name) {
				t.Fatalf("%q was admitted, and cannot be refused", name)
			}
			p.twin.refused(name)
		}
	case 9:
		if len(p.charges) > 0 {
			i := r.IntN(len(p.charges))
			p.release(t, i)
		}
	case 10:
		switch r.IntN(4) {
		case 0:
			p.Retry()
			p.twin.retry()
		case 1:
			capacity := quota.Vector{quota.Amount(r.IntN(40)), quota.Amount(r.IntN(40))}
			p.SetCapacity(capacity)
			p.capacity = capacity
			p.twin.scale, p.twin.stale = quota.NewScale(p.tree, capacity), true
		case 2:
			p.charge(t, q, v)
		default:
			if len(p.twin.gangs) > 0 {
				name := p.twin.gangs[r.IntN(len(p.twin.gangs))].Name
				if !p.Gone(name) {
					t.Fatalf("%q is not there", name)
				}
				p.twin.gone(name)
			}
		}
	default:
		p.ask(t, r)
	}
}

// again takes a gang out and puts it back, as often overtaken.
func (p *pair) again(t *testing.T, r *rand.Rand) {
	t.Helper()
	name := p.some(r, waiting)
	if name == "" {
		return
	}
	g := p.twin.get(name).Gang
	g.Overtaken = p.Overtaken(name)
	if !p.Gone(name) {
		t.Fatalf("%q is not there", name)
	}
	if err := p.Push(g); err != nil {
		t.Fatal(err)
	}
	p.renewed++
}

// renew has both go on with another tree of the same queues, or some of them.
func (p *pair) renew(t *testing.T, r *rand.Rand) {
	t.Helper()
	specs := randomSpecs(r, p.tree.Len())
	tree, _ := quota.NewTree(specs, resources)
	before := p.Admission
	where := func(q quota.QueueID) (quota.QueueID, bool) { return tree.Queue(before.tree.Name(q)) }
	p.Admission = New(tree, p.capacity, before.config)
	for i, c := range p.charges {
		id, ok := where(c.queue)
		if !ok {
			id = quota.RootID
		}
		if err := p.Charge(p.now, id, c.v); err != nil {
			t.Fatal(err)
		}
		p.charges[i].queue = id
	}
	p.Adopt(before, func(g Gang) (quota.QueueID, bool) { return where(g.Queue) })
	p.specs = specs
	averages, nothing := quota.NewAverages(tree), quota.NewUsage(tree)
	for _, c := range p.charges {
		averages.Advance(tree.Own(c.queue), p.now, nothing)
	}
	p.twin.goOn(tree, p, where, averages)
	p.renewed++
	p.agree(t)
}

// change has one queue have other amounts in both, if that makes no fault.
func (p *pair) change(t *testing.T, r *rand.Rand) {
	t.Helper()
	i := r.IntN(len(p.specs))
	spec := p.specs[i]
	spec.Resources = map[string]quota.Quota{}
	randomAmounts(r, spec.Resources)
	tree, ok := p.tree.With(spec)
	if !ok {
		return
	}
	p.specs[i] = spec
	id, _ := tree.Queue(spec.Name)
	limited := !slices.Equal(tree.Limit(id), p.tree.Limit(id))
	stale := p.twin.stale || !tree.SameShares(p.tree)
	stopped := p.SetTree(tree, id)
	was := map[string]bool{}
	for _, g := range p.twin.gangs {
		was[g.Name] = g.stage == beyond
	}
	anew, _ := quota.NewTree(p.specs, resources)
	p.twin.goOn(anew, p, func(q quota.QueueID) (quota.QueueID, bool) { return q, true }, p.twin.averages)
	p.twin.stale = stale
	var want []string
	for _, g := range p.twin.gangs {
		if limited && anew.In(g.Queue, id) && (was[g.Name] || g.stage == beyond) {
			want = append(want, g.Name)
		}
	}
	slices.Sort(stopped)
	slices.Sort(want)
	if !slices.Equal(stopped, want) {
		t.Fatalf("%v are said to pass a limit now, or did before, want %v", stopped, want)
	}
	p.changed++
	p.agree(t)
}

// goOn goes on with another tree, in which each queue is where it is said.
func (tw *twin) goOn(tree *quota.Tree, p *pair, where func(quota.QueueID) (quota.QueueID, bool), averages *quota.Averages) {
	*tw = twin{tree: tree, config: tw.config, scale: quota.NewScale(tree, p.capacity), gangs: tw.gangs, used: quota.NewUsage(tree), all: quota.NewUsage(tree), averages: averages, keyed: tw.keyed, stale: true}
	for _, c := range p.charges {
		tw.must(tw.used.Charge(c.queue, c.v))
		tw.must(tw.all.Charge(c.queue, c.v))
	}
	var gangs []*twinGang
	for _, g := range tw.gangs {
		id, ok := where(g.Queue)
		if !ok {
			continue
		}
		g.Queue = id
		never := false
		for up := tree.Own(id); up != quota.NoQueue; up = tree.Parent(up) {
			never = never || !fits(g.Asks, tree.Limit(up))
		}
		switch {
		case never:
			g.stage = beyond
		case g.stage == beyond:
			g.stage = waiting
		case g.stage == admitted, g.stage == held:
			tw.must(tw.all.Charge(id, g.Asks))
		}
		gangs = append(gangs, g)
	}
	tw.gangs = gangs
}

func (p *pair) charge(t *testing.T, q quota.QueueID, v quota.Vector) {
	t.Helper()
	if err := p.Charge(p.now, q, v); err != nil {
		t.Fatal(err)
	}
	p.twin.averages.Advance(p.tree.Own(q), p.now, p.twin.used)
	p.twin.must(p.twin.used.Charge(q, v))
	p.twin.must(p.twin.all.Charge(q, v))
	p.charges = append(p.charges, charged{q, v})
}

func (p *pair) release(t *testing.T, i int) {
	t.Helper()
	c := p.charges[i]
	p.charges = slices.Delete(p.charges, i, i+1)
	if err := p.Release(p.now, c.queue, c.v); err != nil {
		t.Fatal(err)
	}
	p.twin.averages.Advance(p.tree.Own(c.queue), p.now, p.twin.used)
	p.twin.must(p.twin.used.Release(c.queue, c.v))
	p.twin.must(p.twin.all.Release(c.queue, c.v))
}

// ask compares what is said of one gang, and sometimes of all.
func (p *pair) ask(t *testing.T, r *rand.Rand) {
	t.Helper()
	if len(p.twin.gangs) == 0 {
		return
	}
	name := p.twin.gangs[r.IntN(len(p.twin.gangs))].Name
	got, ok := p.Reason(name)
	want := p.twin.reason(name)
	if !ok || !reflect.DeepEqual(got, want) {
		t.Fatalf("gang %q: %+v, want %+v", name, got, want)
	}
	p.codes[got.Code]++
	if r.IntN(10) == 0 {
		p.agree(t)
	}
}

// agree compares all gangs and what queues use.
func (p *pair) agree(t *testing.T) {
	t.Helper()
	got := map[string]int{}
	for g := range p.Pending() {
		got[g.Name] = g.Overtaken
	}
	want := map[string]int{}
	for _, g := range p.twin.gangs {
		want[g.Name] = got[g.Name]
		if g.stage != beyond {
			want[g.Name] = p.twin.overtaken(g)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("overtaken %v, want %v", got, want)
	}
	for q := range quota.QueueID(p.tree.Len()) {
		if !slices.Equal(p.all.Of(q), p.twin.all.Of(q)) || !slices.Equal(p.used.Of(q), p.twin.used.Of(q)) {
			t.Fatalf("queue %d uses %v and %v, want %v and %v", q, p.used.Of(q), p.all.Of(q), p.twin.used.Of(q), p.twin.all.Of(q))
		}
	}
}

func TestAdmissionAgreesWithAList(t *testing.T) {
	const trees, steps = 150, 1000
	r := rand.New(rand.NewPCG(21, 22))
	codes, chosen, changed, claims := map[Code]int{}, 0, 0, [4]int{}
	for range trees {
		p := newPair(r, 12)
		for range steps {
			p.step(t, r)
		}
		p.agree(t)
		for code, n := range p.codes {
			codes[code] += n
		}
		chosen += p.chosen
		changed += p.changed
		for i, n := range p.claims {
			claims[i] += n
		}
	}
	for _, code := range []Code{Admitted, Turn, Behind, Held, AtLimit, NeverFits, Faulty, NoRoom, Claims} {
		if codes[code] < 30 {
			t.Errorf("%s was seen %d times: the test is too easy", code, codes[code])
		}
	}
	if slices.Min(claims[:]) < 100 {
		t.Errorf("%v gangs were claimed, held and admitted again: the test is too easy", claims)
	}
	if changed < 300 {
		t.Errorf("a queue was changed %d times: the test is too easy", changed)
	}
	if chosen < trees*steps/20 {
		t.Errorf("%d gangs were admitted in %d steps: the test is too easy", chosen, trees*steps)
	}
}

func FuzzAdmission(f *testing.F) {
	f.Add(uint64(1), uint16(500))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := newPair(r, 8)
		for range steps % 1000 {
			p.step(t, r)
		}
		p.agree(t)
	})
}
