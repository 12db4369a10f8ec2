"""Latencies as HdrHistogram keeps them: three digits, from ten microseconds to an hour, mergeable."""

from collections.abc import Iterable, Mapping
from io import StringIO

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from bench.measure.result import Percentiles

LONGEST_US = 3_600_000_000
_POINTS = {"p50_ms": 50.0, "p90_ms": 90.0, "p95_ms": 95.0, "p99_ms": 99.0, "p999_ms": 99.9, "p9999_ms": 99.99}


class Histogram:
    """Counts of latencies, recorded in seconds."""

    def __init__(self) -> None:
        self._hdr = HdrHistogram(1, LONGEST_US, 3)
        self._sum_us = 0

    def record_all(self, latencies_s: Iterable[float]) -> None:
        """Take them up; below a microsecond counts as one."""
        counts: dict[int, int] = {}
        for latency in latencies_s:
            us = int(latency * 1e6) or 1
            counts[us] = counts.get(us, 0) + 1
        self.record_counts(counts)

    def record_counts(self, counts: Mapping[int, int]) -> None:
        """Take up counts by microseconds."""
        record = self._hdr.record_value
        for us, count in counts.items():
            clipped = min(max(us, 1), LONGEST_US)
            record(clipped, count)
            self._sum_us += clipped * count

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._hdr.get_total_count())

    def at_ms(self, percentile: float) -> float | None:
        """The latency not exceeded by that share; None when there is none."""
        return float(self._hdr.get_value_at_percentile(percentile)) / 1e3 if self.count else None

    def percentiles(self) -> Percentiles:
        """All points reports show."""
        if not self.count:
            return Percentiles()
        values = self._hdr.get_percentile_to_value_dict(list(_POINTS.values()))
        points = {name: values[point] / 1e3 for name, point in _POINTS.items()}
        return Percentiles(
            self.count, mean_ms=self._sum_us / self.count / 1e3, max_ms=self._hdr.get_max_value() / 1e3, **points
        )

    def log_line(self, log: HistogramLogWriter, start_s: float, end_s: float) -> None:
        """One interval of an HDR log, its longest in milliseconds."""
        log.output_interval_histogram(self._hdr, start_s, end_s, 1e3)


def hdr_log(seconds: Iterable[tuple[int, list[float]]]) -> str:
    """An HDR log (format 1.2) with a histogram of microseconds for every second, given its latencies in seconds."""
    text = StringIO()
    log = HistogramLogWriter(text)
    log.output_log_format_version()
    log.output_comment("accept latency in microseconds, by second of the run")
    log.output_legend()
    for at, latencies in seconds:
        found = Histogram()
        found.record_all(latencies)
        found.log_line(log, at, at + 1)
    return text.getvalue()
