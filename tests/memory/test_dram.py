"""The memory model: the standards' distances to the clock, conservation, and published simulators' figures."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asic_model.memory.dram import controller, fast
from asic_model.memory.dram.mapping import ORDERS, mapping, places
from asic_model.memory.timings import STANDARDS, Timing
from benchmarks import dram as benchmark
from benchmarks import dram_traces

LPDDR4 = STANDARDS["LPDDR4-3200"]
LPDDR5 = STANDARDS["LPDDR5-6400"]
DDR4 = STANDARDS["DDR4-3200"]


def run(timing: Timing, accesses: list[tuple[int, int]], **options: object) -> controller.Result:
    """Play (address, write) bursts on the burst-accurate controller, one channel, without refresh."""
    addresses = np.array([address for address, _ in accesses], np.int64)
    writes = np.array([write for _, write in accesses], np.uint8)
    return controller.run(timing, addresses, writes, **{"refresh": False, **options})  # type: ignore[arg-type]


def address(timing: Timing, row: int = 0, bank: int = 0, group: int = 0, column: int = 0) -> int:
    """Address under RoBaRaCoCh: row | bank | bank group | column | burst."""
    m = mapping("RoBaRaCoCh", timing, 1, 1, timing.burst_bytes)
    return (row << m.row_shift) | (bank << m.bank_shift) | (group << m.group_shift) | column * timing.burst_bytes


# --------------------------------------------------------------------------------------------------- the standards


@pytest.mark.parametrize("timing", STANDARDS.values(), ids=STANDARDS.keys())
def test_tables_are_consistent(timing: Timing) -> None:
    """What holds between the standards' figures, and a burst carries width x 2 transfers x its clocks."""
    assert timing.nRC == timing.nRAS + timing.nRP
    assert timing.nCCD_S <= timing.nCCD_L
    assert timing.nRRD_S <= timing.nRRD_L
    assert 4 * timing.nRRD_S <= timing.nFAW or timing.nFAW <= 4 * timing.nRRD_L
    assert timing.nRCD < timing.nRAS < timing.nRFC < timing.nREFI
    seconds = timing.nBL * timing.tCK_ps * 1e-12
    beats = seconds * timing.rate_mt_s * 1e6
    assert beats * timing.width_bits / 8 == pytest.approx(timing.burst_bytes, rel=2e-3)
    assert timing.source


@pytest.mark.parametrize("timing", [LPDDR4, DDR4], ids=lambda t: t.name)
def test_a_single_read_takes_activate_read_latency_and_burst(timing: Timing) -> None:
    """Offered in clock 1, activated at once: data ends nRCD + nCL + nBL later."""
    result = run(timing, [(address(timing), 0)])
    assert result.read_latency == timing.nRCD + timing.nCL + timing.nBL
    assert result.clocks == 1 + result.read_latency
    assert (result.row_hits, result.row_misses, result.row_conflicts) == (0, 1, 0)


def test_lpddr5_activates_with_two_commands() -> None:
    """ACT-1, ACT-2 in the next free slot, and nRCD counts from ACT-1: no later than with one command."""
    result = run(LPDDR5, [(address(LPDDR5), 0)])
    assert result.read_latency == LPDDR5.nRCD + LPDDR5.nCL + LPDDR5.nBL


def last_data(timing: Timing, second: int, write: tuple[int, int] = (0, 0)) -> int:
    """Clock after activate in which the second of two accesses ends, both offered together."""
    return run(timing, [(address(timing), write[0]), (second, write[1])], bank_queue_depth=8).clocks - 1


@pytest.mark.parametrize("timing", [LPDDR4, LPDDR5, DDR4], ids=lambda t: t.name)
def test_column_commands_keep_their_distance(timing: Timing) -> None:
    """Same row: nCCD_L after the first. Two rows of one bank: precharge after nRAS, activate after nRP."""
    alone = timing.nRCD + timing.nCL + timing.nBL
    assert last_data(timing, address(timing, column=1)) == alone + timing.nCCD_L
    conflict = last_data(timing, address(timing, row=1))
    precharge = max(timing.nRAS, timing.nRCD + timing.nRTP)
    assert conflict == max(precharge + timing.nRP, timing.nRC) + alone


@pytest.mark.parametrize("timing", [LPDDR4, DDR4], ids=lambda t: t.name)
def test_activates_keep_their_distance(timing: Timing) -> None:
    """Another bank of the same group: nRRD_L after the first activate."""
    alone = timing.nRCD + timing.nCL + timing.nBL
    assert last_data(timing, address(timing, bank=1)) == alone + timing.nRRD_L


def test_no_more_than_four_activates_in_nfaw() -> None:
    """Five banks of DDR4, activates in clocks 1, 5, 9 and 13: the fifth waits for nFAW = 34, until clock 35.

    That clock goes to the fourth read (13 + nRCD = 35), one command a clock, so the activate follows in 36.
    """
    accesses = [(address(DDR4, bank=i // 4, group=i % 4), 0) for i in range(5)]
    result = run(DDR4, accesses, bank_queue_depth=8)
    assert 4 * DDR4.nRRD_S < DDR4.nFAW
    assert result.clocks - 1 == DDR4.nFAW + 1 + DDR4.nRCD + DDR4.nCL + DDR4.nBL


def test_a_read_after_a_write_waits_for_nwtr() -> None:
    """Same bank, per-bank queues: write data ends nCWL + nBL after its command, the read follows nWTR_L later."""
    reads_first = run(LPDDR4, [(address(LPDDR4), 0), (address(LPDDR4, column=1), 0)], bank_queue_depth=8).clocks
    writes = [(address(LPDDR4, column=i), 1) for i in range(32)]
    result = run(LPDDR4, [*writes, (address(LPDDR4, column=40), 0)], bank_queue_depth=8)
    assert result.reads == 1
    assert result.writes == 32
    assert result.clocks > reads_first


def test_a_read_of_a_waiting_write_comes_from_the_queue() -> None:
    result = run(DDR4, [(address(DDR4), 1), (address(DDR4), 0)])
    assert result.read_latency == 1


def test_refresh_costs_its_share() -> None:
    """Streaming over all groups is bound by the bus: without refresh 1, with it 1 - (nRFC + ...) / nREFI."""
    addresses = np.arange(60_000, dtype=np.int64) * DDR4.burst_bytes
    none = np.zeros(addresses.size, np.uint8)
    order = "RoCoRaBaCh"
    free = controller.run(DDR4, addresses, none, order=order, refresh=False)
    held = controller.run(DDR4, addresses, none, order=order)
    assert free.clocks == pytest.approx(addresses.size * DDR4.nBL, rel=0.01)
    assert held.refreshes == held.clocks // DDR4.nREFI
    share = 1 - DDR4.nRFC / DDR4.nREFI
    assert share - 0.02 < free.clocks / held.clocks < share


@pytest.mark.parametrize("bank_queue_depth", [0, 8])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_queues_of_any_depth_come_to_an_end(depth: int, bank_queue_depth: int) -> None:
    """Reads and writes in turn, two channels: all are served, none slower than a row of its own each time."""
    accesses = [(32 * LPDDR4.burst_bytes * i, i & 1) for i in range(400)]
    options = {"channels": 2, "bank_queue_depth": bank_queue_depth}
    found = run(LPDDR4, accesses, queue_depth=depth, write_queue_depth=depth, **options)
    assert (found.reads, found.writes) == (200, 200)
    assert found.clocks < 400 * (LPDDR4.nRC + LPDDR4.nWR + LPDDR4.nCWL + LPDDR4.nBL)


def test_writes_held_in_one_channel_go_when_the_trace_ends_in_another() -> None:
    """Per bank, few writes wait for more; the last request, to channel 1, sends what channel 0 holds.

    A write alone: activate, nRCD, nCWL and nBL; four to one row follow nCCD_L after each other.
    """
    burst = DDR4.burst_bytes
    accesses = [(2 * i * burst, 1) for i in range(4)] + [((2 * i + 1) * burst, 0) for i in range(200)]
    found = run(DDR4, accesses, channels=2, bank_queue_depth=8)
    alone = run(DDR4, accesses[4:], channels=2, bank_queue_depth=8)
    assert found.writes == 4
    offered = 200 * DDR4.nCCD_L  # the requester waits for channel 1's reads
    after = DDR4.nRCD + DDR4.nCWL + 4 * DDR4.nCCD_L + DDR4.nBL
    assert found.clocks <= max(alone.clocks, offered) + after


# ------------------------------------------------------------------------------------------------------ mapping


@pytest.mark.parametrize("order", ORDERS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_mapping_gives_each_burst_its_own_place(order: str, data: st.DataObject) -> None:
    """Different bursts never share a place, and a chunk stays in one row of one channel."""
    timing = data.draw(st.sampled_from([LPDDR4, LPDDR5, DDR4]))
    channels, ranks = data.draw(st.sampled_from([1, 2, 8])), data.draw(st.sampled_from([1, 2]))
    interleave = data.draw(st.sampled_from([timing.burst_bytes, 256, 1024]))
    m = mapping(order, timing, channels, ranks, interleave)
    total = timing.bytes * channels * ranks
    bursts = st.integers(0, total // timing.burst_bytes - 1)
    chosen = np.unique(np.array(data.draw(st.lists(bursts, min_size=1, max_size=200)), np.int64))
    found = places(m, chosen * timing.burst_bytes)
    keys = set(zip(found.channel.tolist(), found.bank.tolist(), found.row.tolist(), found.column.tolist(), strict=True))
    assert len(keys) == chosen.size
    assert found.channel.max() < channels
    assert found.bank.max() < ranks * timing.bank_groups * timing.banks
    assert found.row.max() < timing.rows
    assert found.column.max() < timing.row_bytes // timing.burst_bytes
    start = chosen[0] * timing.burst_bytes & -m.chunk_bytes
    inside = places(m, np.arange(start, start + m.chunk_bytes, timing.burst_bytes, dtype=np.int64))
    for field in (inside.channel, inside.bank, inside.row):
        assert (field == field[0]).all()


def test_row_bank_column_order_is_what_the_name_says() -> None:
    """RoBaRaCoCh from below: 256 bytes, then the channel, then the rest of the row, then bank group, bank, row."""
    m = mapping("RoBaRaCoCh", LPDDR5, 8, 1, 256)
    assert (m.channel_shift, m.column_shift, m.group_shift, m.bank_shift, m.row_shift) == (8, 11, 14, 16, 18)


# --------------------------------------------------------------------------------------------------- the fast model


def one(timing: Timing, **options: object) -> fast.Memory:
    return fast.memory(timing, refresh=False, **options)  # type: ignore[arg-type]


def read(memory: fast.Memory, where: int, size: int, at_ps: int) -> int:
    return int(fast.access(memory.table, memory.state, where, size, 0, at_ps))


def write(memory: fast.Memory, where: int, size: int, at_ps: int) -> int:
    return int(fast.access(memory.table, memory.state, where, size, 1, at_ps))


@pytest.mark.parametrize("timing", [LPDDR4, LPDDR5, DDR4], ids=lambda t: t.name)
def test_fast_idle_latencies_are_the_controllers(timing: Timing) -> None:
    """Miss: nRCD + nCL + nBL. Hit: nCL + nBL. Conflict: nRP more than a miss, once nRAS has passed."""
    clock, later = timing.tCK_ps, 10**6
    memory = one(timing)
    miss = timing.nRCD + timing.nCL + timing.nBL
    assert read(memory, address(timing), timing.burst_bytes, 0) == miss * clock
    hit = read(memory, address(timing, column=1), timing.burst_bytes, later)
    assert hit == later + (timing.nCL + timing.nBL) * clock
    conflict = read(memory, address(timing, row=1), timing.burst_bytes, 2 * later)
    assert conflict == 2 * later + (timing.nRP + miss) * clock
    counters = memory.counters()
    assert [counters[name] for name in ("row_hits", "row_misses", "row_conflicts")] == [1, 1, 1]


def test_fast_bursts_of_a_chunk_follow_each_other() -> None:
    """256 bytes of LPDDR4 are 8 bursts of 8 clocks."""
    memory = one(LPDDR4)
    assert read(memory, 0, 256, 0) == (LPDDR4.nRCD + LPDDR4.nCL + 8 * LPDDR4.nBL) * LPDDR4.tCK_ps


def test_fast_channels_work_side_by_side() -> None:
    """512 bytes over two channels are no slower than 256 over one; an unaligned piece pays for whole bursts."""
    assert read(one(LPDDR4, channels=2), 0, 512, 0) == read(one(LPDDR4), 0, 256, 0)
    memory = one(LPDDR4)
    read(memory, 31, 2, 0)
    assert memory.counters()["read_bursts"] == 2


def test_fast_writes_are_posted_until_the_queue_is_full() -> None:
    """Write queue of 8: high mark 6 bursts, low mark 1. Six fit, the seventh sends six; reads then wait."""
    memory = one(LPDDR4, write_queue_depth=8)
    for i in range(6):
        assert write(memory, 4096 * i, 32, 0) == 0
    assert memory.counters()["write_bursts"] == 0
    write(memory, 4096 * 6, 32, 0)
    assert memory.counters()["write_bursts"] == 6
    assert memory.counters()["turnarounds"] == 1
    waited = read(memory, 1 << 20, 32, 0)
    assert waited > read(one(LPDDR4), 1 << 20, 32, 0) + 6 * LPDDR4.nBL * LPDDR4.tCK_ps
    fast.flush(memory.table, memory.state, 0)
    assert memory.counters()["write_bursts"] == 7


def test_fast_refresh_happens_before_later_reads_and_closes_rows() -> None:
    """A read one picosecond before nREFI is not touched; one at nREFI waits for nRFC and finds its row closed."""
    interval = LPDDR4.nREFI * LPDDR4.tCK_ps
    alone = (LPDDR4.nRCD + LPDDR4.nCL + LPDDR4.nBL) * LPDDR4.tCK_ps
    before = fast.memory(LPDDR4)
    assert read(before, 0, 32, interval - 1) == interval - 1 + alone
    after = fast.memory(LPDDR4)
    held = (LPDDR4.nRP + LPDDR4.nRFC) * LPDDR4.tCK_ps
    assert read(after, 0, 32, interval) == interval + held + alone
    idle = fast.memory(LPDDR4)
    read(idle, 0, 32, 1000 * interval + interval // 2)
    assert idle.counters()["refreshes"] == 1000


def test_closed_page_never_hits_or_conflicts() -> None:
    memory = one(LPDDR4, closed_page=True)
    for i in range(10):
        read(memory, 0, 32, i * 10**6)
    counters = memory.counters()
    assert (counters["row_hits"], counters["row_misses"], counters["row_conflicts"]) == (0, 10, 0)


@st.composite
def streams(draw: st.DrawFn) -> tuple[fast.Memory, np.ndarray]:
    """A memory and accesses in time order: rows of (address, size, write, at_ps)."""
    memory = fast.memory(
        draw(st.sampled_from([LPDDR4, LPDDR5, DDR4])),
        channels=draw(st.sampled_from([1, 2, 4])),
        ranks=draw(st.sampled_from([1, 2])),
        order=draw(st.sampled_from(sorted(ORDERS))),
        write_queue_depth=draw(st.sampled_from([1, 8, 32])),
        closed_page=draw(st.booleans()),
    )
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    count = 200
    accesses = np.zeros((count, 4), np.int64)
    accesses[:, 0] = rng.integers(0, draw(st.sampled_from([1 << 12, 1 << 20, 1 << 28])), count)
    accesses[:, 1] = rng.integers(1, draw(st.sampled_from([64, 5000])), count)
    accesses[:, 2] = rng.integers(0, 2, count)
    accesses[:, 3] = np.cumsum(rng.integers(0, draw(st.sampled_from([1, 10**4, 10**7])), count))
    return memory, accesses


@given(streams())
@settings(max_examples=100, deadline=None)
def test_fast_conserves_bursts_and_time(stream: tuple[fast.Memory, np.ndarray]) -> None:
    """Every burst asked for is served once, nothing comes back before its time, no bus is busy longer than time."""
    memory, accesses = stream
    shift = memory.map.burst_shift
    bursts = ((accesses[:, 0] + accesses[:, 1] - 1) >> shift) - (accesses[:, 0] >> shift) + 1
    fastest = memory.table[fast.T_READ] + memory.table[fast.T_BURST]
    for where, size, is_write, at_ps in accesses.tolist():
        done = fast.access(memory.table, memory.state, where, size, is_write, at_ps)
        assert done >= at_ps + (0 if is_write else fastest)
    end_ps = fast.flush(memory.table, memory.state, int(accesses[-1, 3]))
    counters = memory.counters()
    is_write = accesses[:, 2] != 0
    assert counters["read_bursts"] == bursts[~is_write].sum()
    assert counters["write_bursts"] == bursts[is_write].sum()
    assert counters["row_hits"] + counters["row_misses"] + counters["row_conflicts"] == bursts.sum()
    assert (memory.channels[:, fast.BUS_BUSY] <= end_ps).all()


# ---------------------------------------------------------------------------------------------- published figures


@pytest.fixture(scope="module")
def reference() -> Path:
    folder = benchmark.reference_dir()
    if not (folder / "dram" / "README.md").is_file():
        pytest.skip(f"no published memory figures in {folder} (set TASIC_REFERENCE)")
    return folder


SAMPLE = (
    "DDR4-3200 MOP4CLXOR t64x16_jit",
    "LPDDR5-6400 RoBaRaCoCh t64x16_jit",
    "LPDDR4-3200 RoBaRaCoCh mix4",
    "LPDDR4-3200 2ch RoBaRaCoCh stream",
)


def held(folder: Path, names: tuple[str, ...] | None) -> None:
    """Each case is inside the published interval, or 5 % (efficiency) and 10 % (latency) from the nearer end."""
    cases = {case: said for case, said in benchmark.published(folder).items() if names is None or case.name in names}
    assert len(cases) == (len(names) if names else 36)
    for case, said in cases.items():
        result = benchmark.play(case, *benchmark.trace(folder, case.trace, case.timing.burst_bytes))
        away = benchmark.distance(benchmark.efficiency(case, result), said.efficiency)
        late = benchmark.distance(benchmark.latency_ns(case, result), said.latency_ns)
        assert abs(away) <= benchmark.EFFICIENCY_TOLERANCE, case.name
        assert abs(late) <= benchmark.LATENCY_TOLERANCE, case.name


def test_a_sample_of_the_published_figures(reference: Path) -> None:
    held(reference, SAMPLE)


@pytest.mark.slow
def test_all_published_figures(reference: Path) -> None:
    held(reference, None)


def test_fast_model_stays_near_the_controller_where_video_runs(reference: Path) -> None:
    """LPDDR in bank-row-column order, streams and tiles and their mix: within 12 % of the controller's efficiency."""
    for case in benchmark.published(reference):
        if case.timing.name.startswith("LP") and case.order == "RoBaRaCoCh" and case.trace in ("stream", "mix4"):
            trace = benchmark.trace(reference, case.trace, case.timing.burst_bytes, 40_000)
            exact = benchmark.efficiency(case, benchmark.play(case, *trace))
            quick, _, _ = benchmark.play_fast(case, *trace)
            assert quick == pytest.approx(exact, rel=0.12), case.name


# ------------------------------------------------------------------------------------------------ other traces


def test_the_formats_of_traces_say_the_same(tmp_path: Path) -> None:
    """Lines of five simulators, in either case, with comments, of the same four transactions."""
    lines = {
        "a.ram": "LD 0x40\nST 0x1000\n\n# comment\nLD 8192\nST 0xFFC0\n",
        "b.trc": "0x40 READ 0\n0x1000 WRITE 3\n0x2000 READ 9\n0xffc0 WRITE 9\n",
        "c.trace": "0x40 R\n0x1000 W\n0x2000 R\n0xFFC0 W\n",
        "d.trace": "ld 0X40 // comment\nst 4096\n  ; comment\nLd\t0x2000\nSt ffc0 # comment\n",
        "e.trc": "40 READ 0\n1000 write 3\n2000 P_MEM_RD 9\nffc0 P_MEM_WR 9\n",  # DRAMsim3 reads hexadecimal always
        "f.csv": "0x40,READ,0\n0x1000, WRITE, 3\n0x2000 ,P_FETCH,9\n0xFFC0,BOFF,9\n",
        "g.trace": "12 64 4096\n0 8192 0xffc0\n",
    }
    for name, text in lines.items():
        (tmp_path / name).write_text(text)
        found = dram_traces.read(tmp_path / name)
        assert found.addresses.tolist() == [0x40, 0x1000, 0x2000, 0xFFC0], name
        assert found.is_write.tolist() == [0, 1, 0, 1], name
        assert found.clock.tolist() == ([0, 3, 9, 9] if name in ("b.trc", "e.trc", "f.csv") else [0, 0, 0, 0]), name


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("FETCH 0x80", "'0x80' is none of LD, READ, R"),
        ("LD", "0 words behind LD, one address expected"),
        ("LD 0x40 0x80", "2 words behind LD"),
        ("0x40 READ soon", "'soon' is no clock"),
        ("0x40 READ -3", "'-3' is no clock"),
        ("0x40 READ 3 4", "'4' behind the clock"),
        ("0xZZ R", "'0xZZ' is no address"),
        ("LD -64", "'-64' is no address"),
        ("LD 0x", "'0x' is no address"),
        ("LD 0x4000000000000000", "address 0x4000000000000000 is beyond 62 bits"),
        ("0x40", "one word alone"),
        ("\u00b2 R", "is no address"),
    ],
)
def test_a_line_that_is_no_transaction_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "x.ram").write_text(f"LD 0x40\n# fine\n{line}\n")
    with pytest.raises(dram_traces.TraceError) as caught:
        dram_traces.read(tmp_path / "x.ram")
    assert f"x.ram: line 3: {line!r} is no transaction" in str(caught.value)
    assert said in str(caught.value)


def test_a_trace_that_is_cut_off_or_missing_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"LD 0x40\n" * 1000)
    (tmp_path / "cut.ram.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "plain.ram.gz").write_text("LD 0x40\n")
    (tmp_path / "empty.ram").write_text("# nothing\n")
    for name, said in (
        ("cut.ram.gz", "cannot be read"),
        ("plain.ram.gz", "cannot be read"),
        ("none.ram", "cannot be read: No such file"),
        ("empty.ram", "has no transactions"),
    ):
        with pytest.raises(dram_traces.TraceError, match=said):
            dram_traces.read(tmp_path / name)


def test_transactions_become_bursts_and_figures_replace_figures() -> None:
    trace = dram_traces.Trace(np.array([0x40, 0x1010]), np.array([0, 1], np.uint8), np.array([5, 7]))
    found = dram_traces.bursts(trace, 64, 32)
    assert found.addresses.tolist() == [0x40, 0x60, 0x1000, 0x1020]
    assert found.is_write.tolist() == [0, 0, 1, 1]
    assert found.clock.tolist() == [5, 5, 7, 7]
    assert dram_traces.with_figures(DDR4, ["nRP=30"]).nRC == DDR4.nRAS + 30
    for text, said in (
        ("nRX=30", "nRX"),
        ("nCL=x", "'x' is not a whole number"),
        ("nCL=0", "0 is not in 1"),
        ("nCL=65537", r"65537 is not in 1\.\.65536"),
        ("banks=3", "not a power of two"),
        ("burst_bytes=16384", "burst_bytes 16384 is beyond row_bytes 8192"),
    ):
        with pytest.raises(dram_traces.TraceError, match=said):
            dram_traces.with_figures(DDR4, [text])


def test_orders_of_address_bits_may_be_spelled() -> None:
    """DRAMsim3's default, chrobabgraco: burst, column, rank, group, bank, row, channel from below."""
    m = mapping("chrobabgraco", DDR4, 2, 2, DDR4.burst_bytes)
    assert (m.column_shift, m.rank_shift, m.group_shift, m.bank_shift, m.row_shift, m.channel_shift) == (
        *(6, 13, 14, 16, 18, 34),
    )
    assert mapping("robaracoch", DDR4, 2, 2, 256) == mapping("RoBaRaCoCh", DDR4, 2, 2, 256)
    with pytest.raises(ValueError, match="order: 'rorobaraco' is none of"):
        mapping("rorobaraco", DDR4, 1, 1, 64)


def test_requests_that_come_later_are_served_later() -> None:
    """One read a thousand clocks: each finds an idle memory, the first a closed row, the rest an open one."""
    addresses = np.arange(5, dtype=np.int64) * DDR4.burst_bytes
    clock = np.arange(5, dtype=np.int64) * 1000
    found = controller.run(DDR4, addresses, np.zeros(5, np.uint8), refresh=False, not_before=clock)
    hit = DDR4.nCL + DDR4.nBL
    assert found.read_latency == DDR4.nRCD + 5 * hit
    assert found.clocks == 4000 + hit


def test_a_folder_of_other_configurations_is_read(tmp_path: Path) -> None:
    """Rows may name ranks, channels and orders that the tables here do not have."""
    (tmp_path / "dram").mkdir()
    (tmp_path / "dram" / "README.md").write_text(
        "| LPDDR5-2rank-2ch | MOP4CLXOR | triad | 0.7 | 120 | 1 | 2 | 3 |\n"
        "| DDR4-3200 2ch 2rank rorababgcoch | triad | 0.8 | 0.8 | 300 |\n"
        "| DDR4 | RoBaRaCoCh | stream | words | 1 | 1 | 1 | 1 |\n"
    )
    first, second = benchmark.published(tmp_path)
    assert (first.timing, first.ranks, first.channels, first.order, first.bank_queues) == (
        LPDDR5,
        2,
        2,
        "MOP4CLXOR",
        False,
    )
    assert (second.timing, second.ranks, second.channels, second.order) == (DDR4, 2, 2, "RoRaBaCoCh")
    assert second.bank_queues
