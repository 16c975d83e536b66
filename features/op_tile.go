package features

import "slices"

// OpTile adds Add to the tile Tile of the series Field. The series' own field holds the number of
// its newest tile; tiles that are older than that by Keep or more are deleted.
var OpTile = &OpKind{name: "tile", fold: foldTile, absorb: absorbTile, appendArgs: appendTileArgs, reads: true, lua: tileLua}

// tileField is the field of one tile of a series.
func tileField(series string, tile int64) string { return series + ":" + decimal(tile) }

// foldTile adds to a tile unless it is too old, and deletes the tiles that a newer one pushes out.
// What is held in the end depends on the set of events alone, not on their order.
func foldTile(p *heldProfile, op *Op) {
	newest, ok := p.integer(op.Field)
	if !ok || op.Tile > newest {
		for old := newest - op.Keep + 1; ok && old <= min(op.Tile-op.Keep, newest); old++ {
			delete(p.fields, tileField(op.Field, old))
		}
		newest = op.Tile
		p.set(op.Field, decimal(newest))
	}
	if op.Tile > newest-op.Keep {
		p.add(tileField(op.Field, op.Tile), op.Add)
	}
}

func absorbTile(m *mergedOp, op *Op) {
	tiles := m.split()
	m.Tile, m.Keep = max(m.Tile, op.Tile), max(m.Keep, op.Keep)
	i := slices.IndexFunc(tiles, func(t Op) bool { return t.Tile == op.Tile })
	if i < 0 {
		m.parts = append(tiles, *op)
	} else {
		tiles[i].Add = sumOf(tiles[i].Add, op.Add)
	}
}

// appendTileArgs leaves out tiles that the newest one of the batch pushes out.
func appendTileArgs(args []any, m *mergedOp) []any {
	args = append(args, decimal(m.Keep), decimal(m.Tile), "")
	from := len(args)
	for _, t := range m.split() {
		if t.Tile > m.Tile-m.Keep {
			args = append(args, decimal(t.Tile), decimal(t.Add))
		}
	}
	args[from-1] = decimal(int64(len(args)-from) / 2)
	return args
}

// tileLua folds: keep, newest tile, number of tiles, and for each its number and what it adds.
const tileLua = `
  local keep, newest, n = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local held = number(place, field, -1)
  if newest > held then
    if held >= 0 then
      for tile = held - keep + 1, math.min(newest - keep, held) do
        redis.call('HDEL', key, field .. ':' .. string.format('%.0f', tile))
      end
    end
    held = newest
    set(field, string.format('%.0f', newest))
  end
  local stop = i + 3 + 2 * n
  for k = i + 3, stop - 1, 2 do
    if tonumber(ARGV[k]) > held - keep then
      add(field .. ':' .. ARGV[k], ARGV[k + 1])
    end
  end
  return stop
`
