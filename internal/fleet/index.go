package fleet

import (
	"hash/maphash"
	"maps"
)

const shards = 1024

// index finds objects by ref. Snapshots share its shards: a publish copies only the shards it touches.
type index struct {
	shard [shards]map[Ref]Object
	own   *[shards]bool // shards that this index may still write; nil once sealed
}

var seed = maphash.MakeSeed()

func shardOf(r Ref) int { return int(maphash.Comparable(seed, r) % shards) }

func (x *index) get(r Ref) (Object, bool) {
	o, ok := x.shard[shardOf(r)][r]
	return o, ok
}

func (x *index) writable(r Ref) map[Ref]Object {
	if x.own == nil {
		x.own = new([shards]bool)
	}
	i := shardOf(r)
	if !x.own[i] {
		x.own[i] = true
		if x.shard[i] == nil {
			x.shard[i] = make(map[Ref]Object)
		} else {
			x.shard[i] = maps.Clone(x.shard[i])
		}
	}
	return x.shard[i]
}

func (x *index) put(o Object) {
	r := o.Ref()
	x.writable(r)[r] = o
}

func (x *index) drop(r Ref) { delete(x.writable(r), r) }

func (x *index) seal() { x.own = nil }
