package incident

import "testing"

func TestAMovedServerOutlivesCompute(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: fast})
	boot := r.node(workerOne).Status.NodeInfo.BootID
	r.act(workerOneID, `{"os-migrateLive":{"host":null,"block_migration":"auto"}}`)
	r.until("compute has failed and worker 2 is off", func() bool { return r.status(workerTwoID) == "SHUTOFF" })
	if n := r.node(workerOne); r.status(workerOneID) != "ACTIVE" || !n.ready() || n.Status.NodeInfo.BootID != boot {
		t.Errorf("worker 1 is %s, its node %+v", r.status(workerOneID), n.Status)
	}
	if a := r.actions(workerOneID)[0]; a.Action != "live-migration" || a.User == nil {
		t.Errorf("the last action is %+v", a)
	}
}

func TestAnEvacuatedServerBootsElsewhere(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	boot := r.node(workerOne).Status.NodeInfo.BootID
	r.world.Nova.ForceDown(hostCompute, true)
	r.act(workerOneID, `{"evacuate":{"host":"`+hostQuiet+`"}}`)
	r.until("its node has booted", func() bool { n := r.node(workerOne); return n.ready() && n.Status.NodeInfo.BootID != boot })
	run, _ := r.world.Nova.Run(workerOneID)
	if run.Host != hostQuiet || run.State != "active" {
		t.Errorf("worker 1 is %+v", run)
	}
}
