// A whole block on one wide port, element 0 in the most significant place, valid/ready on both sides, two stages.
// H.264 4x4 inverse core transform with its rounding; the block keeps coefficients column by column.
module wide_idct (
    input  logic              aclk,
    input  logic              aresetn,
    input  logic              s_tvalid,
    output logic              s_tready,
    input  logic [0:15][15:0] s_tdata,
    output logic              m_tvalid,
    input  logic              m_tready,
    output logic [0:15][15:0] m_tdata
);
  typedef logic signed [17:0] word_t;
  function automatic word_t [0:3] line(input word_t [0:3] w);
    word_t e0, e1, e2, e3;
    e0 = w[0] + w[2];
    e1 = w[0] - w[2];
    e2 = (w[1] >>> 1) - w[3];
    e3 = w[1] + (w[3] >>> 1);
    return '{e0 + e3, e1 + e2, e1 - e2, e0 - e3};
  endfunction

  logic full_q;
  word_t [0:3][0:3] rows_d, rows_q, out_d;
  assign s_tready = !full_q || !m_tvalid || m_tready;
  always_comb begin
    for (int y = 0; y < 4; y++) begin
      word_t [0:3] row;
      for (int x = 0; x < 4; x++) row[x] = word_t'($signed(s_tdata[4*x+y]));  // transposed coefficients
      rows_d[y] = line(row);
    end
    for (int x = 0; x < 4; x++) begin
      word_t [0:3] column;
      column = line('{rows_q[0][x], rows_q[1][x], rows_q[2][x], rows_q[3][x]});
      for (int y = 0; y < 4; y++) out_d[y][x] = (column[y] + 18'sd32) >>> 6;
    end
  end
  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      full_q   <= 1'b0;
      m_tvalid <= 1'b0;
    end else begin
      if (s_tready) full_q <= s_tvalid;
      if (!m_tvalid || m_tready) m_tvalid <= full_q;
    end
    if (s_tready && s_tvalid) rows_q <= rows_d;
    if (!m_tvalid || m_tready)
      for (int y = 0; y < 4; y++) for (int x = 0; x < 4; x++) m_tdata[4*y+x] <= out_d[y][x][15:0];
  end
endmodule
