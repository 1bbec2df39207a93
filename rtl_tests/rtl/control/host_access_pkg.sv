// Made by `python -m asic_model.registers.generate` from asic_model/registers/tasic.rdl; do not edit.

// Which registers the host may write; the bridge drops and counts other writes.
package host_access_pkg;
    function automatic logic host_may_write(input logic [11:0] address);
        casez (address)
            12'h028: return 1'b1;
            12'h030: return 1'b1;
            12'h034: return 1'b1;
            12'h038: return 1'b1;
            12'h400: return 1'b1;
            12'h440: return 1'b1;
            12'h480: return 1'b1;
            12'h4c0: return 1'b1;
            12'h408: return 1'b1;
            12'h448: return 1'b1;
            12'h488: return 1'b1;
            12'h4c8: return 1'b1;
            12'h40c: return 1'b1;
            12'h44c: return 1'b1;
            12'h48c: return 1'b1;
            12'h4cc: return 1'b1;
            12'h410: return 1'b1;
            12'h450: return 1'b1;
            12'h490: return 1'b1;
            12'h4d0: return 1'b1;
            12'h414: return 1'b1;
            12'h454: return 1'b1;
            12'h494: return 1'b1;
            12'h4d4: return 1'b1;
            12'h418: return 1'b1;
            12'h458: return 1'b1;
            12'h498: return 1'b1;
            12'h4d8: return 1'b1;
            12'h424: return 1'b1;
            12'h464: return 1'b1;
            12'h4a4: return 1'b1;
            12'h4e4: return 1'b1;
            default: return 1'b0;
        endcase
    endfunction
endpackage
