// Foreign-looking on purpose: QP and residual come over one register bus; the block asks for a grant, writes its levels
// to a memory outside, reads them back, and gives out the residual that they stand for, rows first to last with an index.
// H.264 4x4, forward and back. Chip select active low.
module loop_quant (
    input              clk,
    input              rst_n,
    input              cs_n,
    input        [4:0] adr,          // 0: {intra, qp}; 16..31: residual, a sample a write
    input        [8:0] dat,
    input              run,
    output reg         grant_req,
    input              grant,
    output reg         lv_we,
    output reg   [1:0] lv_wa,
    output reg  [63:0] lv_wd,        // a row of levels
    output reg         lv_re_n,
    output reg   [1:0] lv_ra,
    input       [63:0] lv_rd,        // a cycle after its address
    output reg         rec_v,
    output reg   [1:0] rec_row,
    output reg  [39:0] rec           // four residuals of 10 bits
);
  reg signed [8:0] x [0:15];
  reg [5:0] qp;
  reg intra;
  reg [2:0] st;
  reg [1:0] n, back;
  reg seen;
  reg signed [15:0] lv [0:15];
  reg signed [31:0] t [0:15], w [0:15], d [0:15], r [0:15];
  integer i, e0, e1, e2, e3;

  function [14:0] factor(input [2:0] m, input [1:0] c);
    case ({m, c})
      {3'd0, 2'd0}: factor = 13107; {3'd0, 2'd1}: factor = 5243; {3'd0, 2'd2}: factor = 8066;
      {3'd1, 2'd0}: factor = 11916; {3'd1, 2'd1}: factor = 4660; {3'd1, 2'd2}: factor = 7490;
      {3'd2, 2'd0}: factor = 10082; {3'd2, 2'd1}: factor = 4194; {3'd2, 2'd2}: factor = 6554;
      {3'd3, 2'd0}: factor = 9362;  {3'd3, 2'd1}: factor = 3647; {3'd3, 2'd2}: factor = 5825;
      {3'd4, 2'd0}: factor = 8192;  {3'd4, 2'd1}: factor = 3355; {3'd4, 2'd2}: factor = 5243;
      {3'd5, 2'd0}: factor = 7282;  {3'd5, 2'd1}: factor = 2893; default: factor = 4559;
    endcase
  endfunction
  function [4:0] step(input [2:0] m, input [1:0] c);
    case ({m, c})
      {3'd0, 2'd0}: step = 10; {3'd0, 2'd1}: step = 16; {3'd0, 2'd2}: step = 13;
      {3'd1, 2'd0}: step = 11; {3'd1, 2'd1}: step = 18; {3'd1, 2'd2}: step = 14;
      {3'd2, 2'd0}: step = 13; {3'd2, 2'd1}: step = 20; {3'd2, 2'd2}: step = 16;
      {3'd3, 2'd0}: step = 14; {3'd3, 2'd1}: step = 23; {3'd3, 2'd2}: step = 18;
      {3'd4, 2'd0}: step = 16; {3'd4, 2'd1}: step = 25; {3'd4, 2'd2}: step = 20;
      {3'd5, 2'd0}: step = 18; {3'd5, 2'd1}: step = 29; default: step = 23;
    endcase
  endfunction
  wire [2:0] m6 = qp % 6;
  wire [3:0] q6 = qp / 6;

  // forward: rows, then columns; sixteen levels at once
  always @* begin
    for (i = 0; i < 4; i = i + 1) begin
      e0 = x[4*i] + x[4*i+3]; e1 = x[4*i+1] + x[4*i+2]; e2 = x[4*i+1] - x[4*i+2]; e3 = x[4*i] - x[4*i+3];
      t[4*i] = e0 + e1; t[4*i+1] = 2*e3 + e2; t[4*i+2] = e0 - e1; t[4*i+3] = e3 - 2*e2;
    end
    for (i = 0; i < 4; i = i + 1) begin
      e0 = t[i] + t[12+i]; e1 = t[4+i] + t[8+i]; e2 = t[4+i] - t[8+i]; e3 = t[i] - t[12+i];
      w[i] = e0 + e1; w[4+i] = 2*e3 + e2; w[8+i] = e0 - e1; w[12+i] = e3 - 2*e2;
    end
  end
  function signed [15:0] level(input signed [31:0] v, input [1:0] c);
    reg [31:0] a, f;
    begin
      a = v < 0 ? -v : v;
      f = intra ? (32'd1 << (15 + q6)) / 3 : (32'd1 << (15 + q6)) / 6;
      a = (a * factor(m6, c) + f) >> (15 + q6);
      level = v < 0 ? -a : a;
    end
  endfunction
  function [1:0] class_of(input integer k);
    class_of = (k[2] == k[0]) ? {1'b0, k[0]} : 2'd2;
  endfunction

  // back: scale, rows, columns
  integer j, a0, a1, a2, a3;
  always @* begin
    for (j = 0; j < 16; j = j + 1) d[j] = (lv[j] * $signed({1'b0, step(m6, class_of(j))})) <<< q6;
    for (j = 0; j < 4; j = j + 1) begin
      a0 = d[4*j] + d[4*j+2]; a1 = d[4*j] - d[4*j+2]; a2 = (d[4*j+1] >>> 1) - d[4*j+3]; a3 = d[4*j+1] + (d[4*j+3] >>> 1);
      d[4*j] = a0 + a3; d[4*j+1] = a1 + a2; d[4*j+2] = a1 - a2; d[4*j+3] = a0 - a3;
    end
    for (j = 0; j < 4; j = j + 1) begin
      a0 = d[j] + d[8+j]; a1 = d[j] - d[8+j]; a2 = (d[4+j] >>> 1) - d[12+j]; a3 = d[4+j] + (d[12+j] >>> 1);
      r[j] = (a0 + a3 + 32) >>> 6; r[4+j] = (a1 + a2 + 32) >>> 6;
      r[8+j] = (a1 - a2 + 32) >>> 6; r[12+j] = (a0 - a3 + 32) >>> 6;
    end
  end

  always @(posedge clk or negedge rst_n)
    if (!rst_n) begin
      st <= 0; grant_req <= 0; lv_we <= 0; lv_re_n <= 1; rec_v <= 0; seen <= 0; n <= 0; back <= 0; qp <= 0; intra <= 0;
    end else begin
      lv_we <= 0; rec_v <= 0; lv_re_n <= 1; seen <= !lv_re_n; back <= lv_ra;
      if (!cs_n && adr == 0) {intra, qp} <= dat[6:0];
      if (!cs_n && adr[4]) x[adr[3:0]] <= dat;
      if (seen) {lv[{back, 2'd3}], lv[{back, 2'd2}], lv[{back, 2'd1}], lv[{back, 2'd0}]} <= lv_rd;
      case (st)
        0: if (run) begin st <= 1; grant_req <= 1; n <= 0; end
        1: if (grant) begin st <= 2; grant_req <= 0; end
        2: begin
          lv_we <= 1; lv_wa <= n;
          lv_wd <= {level(w[{n, 2'd3}], class_of({n, 2'd3})), level(w[{n, 2'd2}], class_of({n, 2'd2})),
                    level(w[{n, 2'd1}], class_of({n, 2'd1})), level(w[{n, 2'd0}], class_of({n, 2'd0}))};
          n <= n + 1'b1; if (n == 3) st <= 3;
        end
        3: begin lv_re_n <= 0; lv_ra <= n; n <= n + 1'b1; if (n == 3) st <= 4; end
        4: if (n == 2) begin st <= 5; n <= 0; end else n <= n + 1'b1;
        5: begin
          rec_v <= 1; rec_row <= n; n <= n + 1'b1; if (n == 3) st <= 0;
          rec <= {r[{n, 2'd3}][9:0], r[{n, 2'd2}][9:0], r[{n, 2'd1}][9:0], r[{n, 2'd0}][9:0]};
        end
        default: st <= 0;
      endcase
    end
endmodule
