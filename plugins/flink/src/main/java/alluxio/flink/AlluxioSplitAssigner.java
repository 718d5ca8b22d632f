package alluxio.flink;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.apache.flink.connector.file.src.FileSourceSplit;
import org.apache.flink.connector.file.src.assigners.FileSplitAssigner;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.SimpleCounter;

/**
 * Hands splits to the readers on whose hosts they are: {@code FileSource...setSplitAssigner(AlluxioSplitAssigner::new)}. Unlike Flink's
 * own it also knows the hosts of splits that are added later, by continuous sources and after failures, and tells hosts apart by
 * their full names where readers have such.
 *
 * <p>A reader gets the split of its host that the fewest other readers are beside; if there is none, it takes over at once what is
 * wanted least: a split that no reader is beside, else one of the host with the most waiting. Nothing is held back: to Flink, no
 * split means that none is left. Called from the coordinator's thread only.
 */
public final class AlluxioSplitAssigner implements FileSplitAssigner {
  static final String LOCAL = "numLocalSplits";
  static final String REMOTE = "numRemoteSplits";
  /** Of the source that is being started by this thread: Flink tells an assigner nothing of its surroundings. */
  private static final ThreadLocal<MetricGroup> METRICS = new ThreadLocal<>();

  /** A host with readers. */
  private static final class Reader {
    final String name;
    /** Splits on this host; those first that the fewest readers are beside, then the oldest. */
    final TreeSet<Waiting> waiting =
        new TreeSet<>(Comparator.<Waiting>comparingInt(w -> w.beside.size()).thenComparingLong(w -> w.number));

    Reader(String name) {
      this.name = name;
    }
  }

  /** A split that nobody has. */
  private static final class Waiting {
    final FileSourceSplit split;
    final long number;
    final List<Reader> beside = new ArrayList<>(3);

    Waiting(FileSourceSplit split, long number) {
      this.split = split;
      this.number = number;
    }
  }

  private final LinkedHashSet<Waiting> waiting = new LinkedHashSet<>();
  /** Those of them that no reader is beside. */
  private final LinkedHashSet<Waiting> unwanted = new LinkedHashSet<>();
  private final Map<String, Reader> readers = new HashMap<>();
  private final Map<String, List<Reader>> readersByLabel = new HashMap<>();
  private final Counter local;
  private final Counter remote;
  private long splits;

  public AlluxioSplitAssigner(Collection<FileSourceSplit> splits) {
    MetricGroup metrics = METRICS.get();
    local = metrics == null ? new SimpleCounter() : metrics.counter(LOCAL);
    remote = metrics == null ? new SimpleCounter() : metrics.counter(REMOTE);
    addSplits(splits);
  }

  /** Runs what makes an assigner, whose counts then go to the group. */
  static <T, E extends Exception> T metered(MetricGroup group, Making<T, E> making) throws E {
    METRICS.set(group);
    try {
      return making.make();
    } finally {
      METRICS.remove();
    }
  }

  interface Making<T, E extends Exception> {
    T make() throws E;
  }

  @Override
  public void addSplits(Collection<FileSourceSplit> added) {
    for (FileSourceSplit split : added) {
      Waiting it = new Waiting(split, splits++);
      for (String host : split.hostnames()) {
        for (Reader reader : readersOn(HostName.of(host))) if (!it.beside.contains(reader)) it.beside.add(reader);
      }
      waiting.add(it);
      if (it.beside.isEmpty()) unwanted.add(it);
      for (Reader reader : it.beside) reader.waiting.add(it);
    }
  }

  /** @param host of the reader; null if it is not known */
  @Override
  public Optional<FileSourceSplit> getNext(String host) {
    if (host != null) {
      Reader reader = readers.get(HostName.of(host));
      if (reader == null) reader = newReader(HostName.of(host));
      if (!reader.waiting.isEmpty()) {
        local.inc();
        return Optional.of(take(reader.waiting.first()));
      }
    }
    if (waiting.isEmpty()) return Optional.empty();
    remote.inc();
    return Optional.of(take(leastWanted()));
  }

  @Override
  public Collection<FileSourceSplit> remainingSplits() {
    List<FileSourceSplit> remaining = new ArrayList<>(waiting.size());
    for (Waiting it : waiting) remaining.add(it.split);
    return remaining;
  }

  private Waiting leastWanted() {
    if (!unwanted.isEmpty()) return unwanted.iterator().next();
    Reader busiest = null;
    for (Reader reader : readers.values()) {
      if (busiest == null
          || reader.waiting.size() > busiest.waiting.size()
          || (reader.waiting.size() == busiest.waiting.size() && reader.name.compareTo(busiest.name) < 0)) busiest = reader;
    }
    return busiest.waiting.first();
  }

  private FileSourceSplit take(Waiting it) {
    waiting.remove(it);
    unwanted.remove(it);
    for (Reader reader : it.beside) reader.waiting.remove(it);
    return it.split;
  }

  private Reader newReader(String name) {
    Reader reader = new Reader(name);
    for (Waiting it : waiting) {
      if (!isBeside(name, it.split)) continue;
      // The order of its other queues changes with it.
      for (Reader other : it.beside) other.waiting.remove(it);
      it.beside.add(reader);
      for (Reader each : it.beside) each.waiting.add(it);
      unwanted.remove(it);
    }
    readers.put(name, reader);
    if (!HostName.isAddress(name)) readersByLabel.computeIfAbsent(HostName.label(name), key -> new ArrayList<>()).add(reader);
    return reader;
  }

  private static boolean isBeside(String reader, FileSourceSplit split) {
    for (String host : split.hostnames()) if (isSame(reader, HostName.of(host))) return true;
    return false;
  }

  /** Readers on a host of a split. */
  private Collection<Reader> readersOn(String host) {
    List<Reader> found = new ArrayList<>(1);
    if (HostName.isAddress(host)) {
      if (readers.containsKey(host)) found.add(readers.get(host));
    } else {
      for (Reader reader : readersByLabel.getOrDefault(HostName.label(host), List.of()))
        if (isSame(reader.name, host)) found.add(reader);
    }
    return found;
  }

  /** By full names where both are, else by first labels; an address is only itself. */
  private static boolean isSame(String reader, String host) {
    if (reader.equals(host)) return true;
    if (HostName.isAddress(reader) || HostName.isAddress(host)) return false;
    if (HostName.isFull(reader) && HostName.isFull(host)) return false;
    return HostName.label(reader).equals(HostName.label(host));
  }

  long localSplits() {
    return local.getCount();
  }

  long remoteSplits() {
    return remote.getCount();
  }
}
