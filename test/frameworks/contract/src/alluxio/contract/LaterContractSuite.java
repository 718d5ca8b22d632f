package alluxio.contract;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.contract.AbstractContractBulkDeleteTest;
import org.apache.hadoop.fs.contract.AbstractFSContract;

/** What Hadoop 3.3 does not have. */
public final class LaterContractSuite {
  private LaterContractSuite() {}

  public static class BulkDelete extends AbstractContractBulkDeleteTest {
    @Override
    protected AbstractFSContract createContract(Configuration conf) {
      return new NamedContract(conf);
    }
  }
}
